export { runVectors, VECTOR_FILES, type VectorFailure, type VectorReport } from './run-vectors.js';
