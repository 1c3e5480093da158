/** The page works offline after the first visit: a service worker keeps what it is made of. */

export function registerOffline(): void {
  if (!('serviceWorker' in navigator)) return;
  // It is for the next visit: this one comes first.
  addEventListener('load', () => {
    navigator.serviceWorker.register('sw.js').catch(() => {
      // A page without one works, as long as there is a network.
    });
  });
}
