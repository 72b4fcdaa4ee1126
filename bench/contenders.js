// The contenders, and what one has to show before it is timed.
import { checkOutput } from './layer.js';

/**
 * Modules of contenders, each loaded when asked for, as not every place has every one. Their load({ threads, variants, assets })
 * gives contenders { name, variant?, placement, dtype?, prepare(layer, data) }; what one prepares is { run(), output(),
 * dispose(), explanation? }, or null for a layer that it does not have.
 */
export const peers = {
  ours: () => import('./peers/ours.js'),
  ort: () => import('./peers/ort.js'),
  tfjs: () => import('./peers/tfjs.js'),
  litert: () => import('./peers/litert.js'),
  plain: () => import('./peers/plain.js'),
};

export const text = (error) => String(error?.message ?? error);

/** Prepares a contender and checks what it computes: what it prepared, or { error }, with the contender's own marks. */
export async function enter(contender, layer, data) {
  const { name, variant, placement, dtype } = contender;
  const entry = { name, variant, placement, dtype };
  try {
    const prepared = await contender.prepare(layer, data);
    if (!prepared) return null;
    await prepared.run();
    checkOutput(layer, data, prepared.output(), dtype);
    return Object.assign(entry, prepared);
  } catch (error) {
    return Object.assign(entry, { error: text(error) });
  }
}
