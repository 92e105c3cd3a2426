/** What the backend's provider catalogue says of a vendor's fields and presets. */
export interface AskedField {
  /** Dotted path in the profile: "baseUrl", "options.organization"; "apiKey" is the key itself. */
  name: string;
  label: string;
  kind: "text" | "secret" | "url" | "model" | "number" | "boolean" | "file" | "object" | "choice";
  required?: boolean;
  help?: string;
  placeholder?: string;
  /** Of a choice. */
  choices?: string[];
}

export interface Preset {
  id: string;
  name: string;
  baseUrl: string;
  needsKey?: boolean;
  documentation?: string;
}
