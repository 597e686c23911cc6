// Before the first paint, so that nobody who chose dark sees a white flash.
try {
  const chosen = localStorage.getItem('plexus.theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing follows the system.
}
