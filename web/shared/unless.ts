// Work whose result nobody waits for any more once a signal aborts.

/** The result of some work; rejects when the signal aborts. */
export function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    // A signal may outlive many calls: a listener that stayed would keep their results.
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
