// Uppy's core and its S3 uploader, as one module.
export { default as Uppy } from "@uppy/core";
export { default as AwsS3 } from "@uppy/aws-s3";
