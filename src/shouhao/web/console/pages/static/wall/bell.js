// The bell: two tones that carry through a room; a browser lets them sound only after somebody pressed something.

export function bell() {
  let context = null;
  return {
    on: () => context !== null,
    switch() {
      context = context ? (context.close(), null) : new AudioContext();
      if (context) this.ring();
    },
    ring() {
      if (!context) return;
      [880, 1175].forEach((frequency, n) => {
        const tone = context.createOscillator();
        const loud = context.createGain();
        tone.frequency.value = frequency;
        loud.gain.setValueAtTime(0.25, context.currentTime + 0.22 * n);
        loud.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 0.22 * n + 0.2);
        tone.connect(loud).connect(context.destination);
        tone.start(context.currentTime + 0.22 * n);
        tone.stop(context.currentTime + 0.22 * n + 0.2);
      });
    },
  };
}
