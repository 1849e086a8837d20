import type { Stream, StreamEdit } from '../../api/streams';
import { SelectField, TextField } from '../../ui/field';
import { TextArea } from '../../ui/text_area';
import { LanguageField } from '../language_field';
import { useCategories } from './use_categories';

/** What viewers are told of a stream, as a form holds it. */
export interface Details {
  title: string;
  description: string;
  category: string;
  /** Empty: as the channel. */
  language: string;
  /** With commas between. */
  tags: string;
}

export const NO_DETAILS: Details = { title: '', description: '', category: '', language: '', tags: '' };

export function detailsOf(stream: Stream): Details {
  return {
    title: stream.title,
    description: stream.description,
    category: stream.category ?? '',
    language: stream.language ?? '',
    tags: stream.tags.join(', '),
  };
}

export function detailsEdit(details: Details): StreamEdit {
  const tags = details.tags.split(',').map((tag) => tag.trim());
  return {
    title: details.title,
    description: details.description,
    category: details.category || null,
    language: details.language || null,
    tags: tags.filter((tag) => tag !== ''),
  };
}

export function DetailsFields({
  details,
  onChange,
  whole = false,
}: {
  details: Details;
  onChange: (details: Details) => void;
  /** With the lines below the title. */
  whole?: boolean;
}) {
  const categories = useCategories();
  const change = (patch: Partial<Details>) => onChange({ ...details, ...patch });
  return (
    <>
      <TextField
        label="Title"
        value={details.title}
        maxLength={200}
        placeholder="What is it about?"
        onChange={(event) => change({ title: event.target.value })}
      />
      {whole && (
        <TextArea
          label="Description"
          value={details.description}
          maxLength={5000}
          onChange={(event) => change({ description: event.target.value })}
        />
      )}
      <div className="grid gap-4 sm:grid-cols-2">
        <SelectField
          label="Category"
          value={details.category}
          onChange={(event) => change({ category: event.target.value })}
        >
          <option value="">None</option>
          {categories.map(({ slug, name }) => (
            <option key={slug} value={slug}>
              {name}
            </option>
          ))}
        </SelectField>
        <LanguageField
          value={details.language}
          none="As my channel"
          onChange={(language) => change({ language })}
        />
      </div>
      <TextField
        label="Tags"
        value={details.tags}
        placeholder="chess, beginners"
        onChange={(event) => change({ tags: event.target.value })}
      />
    </>
  );
}
