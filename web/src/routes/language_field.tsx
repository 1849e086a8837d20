import { SelectField } from '../ui/field';
import { useLanguages } from './languages';

/** Chooses the language that is spoken. */
export function LanguageField({
  value,
  none,
  onChange,
}: {
  /** Empty: none. */
  value: string;
  /** Words for none. */
  none: string;
  onChange: (tag: string) => void;
}) {
  return (
    <SelectField label="Language" value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{none}</option>
      {useLanguages().map(({ tag, name }) => (
        <option key={tag} value={tag}>
          {name}
        </option>
      ))}
    </SelectField>
  );
}
