// The WebSocket side, for Node and browsers: chat that survives reconnects, every method and event of the gateway protocol.
export * from '@plexus/client-protocol';
