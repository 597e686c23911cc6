import Form from '@rjsf/core';
import type { FieldTemplateProps, IconButtonProps, ObjectFieldTemplateProps, RJSFSchema } from '@rjsf/utils';
import { useTranslation } from 'react-i18next';
import { Icon } from './icons.js';
import { schemaValidator } from './schema-validator.js';

type Data = Record<string, unknown>;

export interface SchemaFormProps {
  readonly schema: RJSFSchema;
  readonly data: Data;
  readonly onChange: (data: Data) => void;
  readonly onSubmit: () => void;
  readonly submit: string;
  readonly busy: boolean;
}

/** A form made from a JSON Schema. */
export default function SchemaForm({ schema, data, onChange, onSubmit, submit, busy }: SchemaFormProps) {
  return (
    <Form<Data>
      className="rjsf"
      schema={schema}
      formData={data}
      validator={schemaValidator}
      showErrorList={false}
      noHtml5Validate
      liveValidate={false}
      uiSchema={{ 'ui:options': { label: false }, data: { 'ui:title': 'data' } }}
      templates={{ FieldTemplate, ObjectFieldTemplate, ButtonTemplates: { AddButton, RemoveButton, MoveUpButton, MoveDownButton, CopyButton } }}
      onChange={({ formData }) => onChange(formData ?? {})}
      onError={nothing}
      onSubmit={() => onSubmit()}
    >
      <div>
        <button type="submit" className="button primary" disabled={busy}>
          <Icon name="publish" />
          {submit}
        </button>
      </div>
    </Form>
  );
}

/** The messages stand at their fields; without this the library writes them into the console, too. */
const nothing = () => undefined;

function FieldTemplate({ id, label, required, rawErrors = [], description, displayLabel, hidden, schema, children }: FieldTemplateProps<Data>) {
  const { t } = useTranslation();
  if (hidden) return <div hidden>{children}</div>;
  // Descriptions of contracts are Markdown; the library makes them nodes.
  const hint = typeof schema.description === 'string' ? schema.description.replaceAll('`', '') : description;
  const nested = schema.type === 'object' || schema.type === 'array';
  return (
    <div className="field">
      {displayLabel && !nested && (
        <label htmlFor={id} className={/_\d+$/.test(id) ? 'visually-hidden' : undefined}>
          <span className="mono">{label}</span>
          {required && <span className="muted"> · {t('form.required')}</span>}
        </label>
      )}
      {children}
      {!nested && displayLabel && <div className="hint">{hint}</div>}
      {rawErrors.length > 0 && (
        <div className="text-danger small" role="alert">
          {rawErrors.join(' ')}
        </div>
      )}
    </div>
  );
}

function ObjectFieldTemplate({ title, properties, fieldPathId }: ObjectFieldTemplateProps<Data>) {
  const { t } = useTranslation();
  const root = fieldPathId.path.length === 0;
  // Of an event: what hardly anybody needs stands behind its data.
  const data = root ? properties.findIndex(({ name }) => name === 'data') : -1;
  const first = data === -1 ? properties : properties.slice(0, data + 1);
  const rest = properties.slice(first.length);
  return (
    <fieldset id={fieldPathId.$id}>
      {!root && <legend className="mono">{title}</legend>}
      <Fields properties={first} root={root} />
      {rest.length > 0 && (
        <details className="details">
          <summary>{t('form.more')}</summary>
          <Fields properties={rest} root={root} />
        </details>
      )}
    </fieldset>
  );
}

function Fields({ properties, root }: Pick<ObjectFieldTemplateProps<Data>, 'properties'> & { readonly root: boolean }) {
  return (
    <div className={root ? 'fields' : 'stack'}>
      {properties.map(({ name, content }) => (
        <div key={name} className={name === 'data' ? 'whole' : ''}>
          {content}
        </div>
      ))}
    </div>
  );
}

const iconButton =
  (name: 'add' | 'remove' | 'up' | 'down' | 'copy', icon: 'plus' | 'cross' | 'menu') =>
  ({ onClick, disabled }: IconButtonProps<Data>) => {
    const { t } = useTranslation();
    return (
      <button type="button" className="button small" onClick={onClick} disabled={disabled} aria-label={t(`form.${name}`)} title={t(`form.${name}`)}>
        <Icon name={icon} />
      </button>
    );
  };
const AddButton = iconButton('add', 'plus');
const RemoveButton = iconButton('remove', 'cross');
const MoveUpButton = () => null;
const MoveDownButton = () => null;
const CopyButton = () => null;
