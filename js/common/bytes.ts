/** The bytes of an ArrayBuffer or a view of one, not copied, or null for all else. Buffers may come from other realms. */
export function bytesIn(buffer: unknown): Uint8Array | null {
  try {
    if (ArrayBuffer.isView(buffer)) return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    const isBuffer = /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(buffer));
    return isBuffer ? new Uint8Array(buffer as ArrayBuffer) : null;
  } catch {
    // It is detached, or a proxy.
    return null;
  }
}
