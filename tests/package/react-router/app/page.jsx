import { Tensor } from 'conv1d-wasm';
import { useEffect } from 'react';

export default function Page() {
  useEffect(() => void import('../main.js'), []);
  return <p>{`a tensor of ${new Tensor([1, 2], [1, 2]).shape.join(' x ')}`}</p>;
}
