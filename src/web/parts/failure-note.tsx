/** Why something could not be opened, in the words of who read it, with the file and line where it has one. */
import type { Failure } from '../worker/call.js';

export function FailureNote({
  failure,
  onClose,
}: {
  readonly failure: Failure;
  readonly onClose?: () => void;
}) {
  const { code, message } = failure;
  return (
    <div class="failure toolbar" role="alert">
      <span style={{ flex: 1, minWidth: 0 }}>
        {code === 'internal' && <strong>slablab itself failed. </strong>}
        {message}
      </span>
      {onClose !== undefined && (
        <button type="button" onClick={onClose}>
          Close
        </button>
      )}
    </div>
  );
}
