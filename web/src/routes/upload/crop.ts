/** Which part of a picture a view of it means. */
import type { Crop } from '../../api/pictures';

interface Size {
  width: number;
  height: number;
}

export interface View {
  /** 1 shows as much as the proportions allow. */
  zoom: number;
  /** The middle of the part, from 0 to 1 of the picture. */
  x: number;
  y: number;
}

/** In pixels of the picture, never beyond its edges. */
export function cropOf(size: Size, ratio: number, view: View): Crop {
  const most = Math.min(size.width, size.height * ratio);
  const width = Math.max(1, Math.floor(most / view.zoom));
  const height = Math.max(1, Math.min(size.height, Math.floor(width / ratio)));
  const within = (middle: number, part: number, whole: number) =>
    Math.round(Math.min(Math.max(middle * whole - part / 2, 0), whole - part));
  return { x: within(view.x, width, size.width), y: within(view.y, height, size.height), width, height };
}

/** The view after a move by a share of the part. */
export function moved(size: Size, ratio: number, view: View, [right, down]: readonly [number, number]): View {
  const { x, y, width, height } = cropOf(size, ratio, view);
  const middle = (from: number, part: number, by: number, whole: number) =>
    Math.min(Math.max((from + part / 2 + by * part) / whole, 0), 1);
  return {
    ...view,
    x: middle(x, width, right, size.width),
    y: middle(y, height, down, size.height),
  };
}
