export { bitrateName as rate } from '../player/layers';
