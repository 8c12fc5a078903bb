// The operating system's media keys and lock screen (Media Session API), where there are any.

export function mediaSession({ toggle, next, previous, seekTo, seekBy, step }) {
  const system = navigator.mediaSession;
  if (!system) return { describe() {}, state() {}, position() {} };
  const handlers = {
    play: toggle,
    pause: toggle,
    nexttrack: next,
    previoustrack: previous,
    seekto: (details) => seekTo(details.seekTime),
    seekforward: (details) => seekBy(details.seekOffset ?? step),
    seekbackward: (details) => seekBy(-(details.seekOffset ?? step)),
  };
  for (const [action, handler] of Object.entries(handlers)) {
    try {
      system.setActionHandler(action, handler);
    } catch {
      // This browser doesn't know the action.
    }
  }
  return {
    describe({ title, artist, cover }) {
      const artwork = cover ? [{ src: new URL(cover, location.href).href, sizes: "512x512" }] : [];
      system.metadata = new MediaMetadata({ title: title ?? "", artist: artist ?? "", artwork });
    },
    state(state) {
      system.playbackState = state;
    },
    position(now, length) {
      if (!(length > 0) || now > length) return;
      system.setPositionState?.({ duration: length, position: now, playbackRate: 1 });
    },
  };
}
