"""Pure: what each vendor's wire format says. Dialect is code, vendor is a row of data; bytes in, values out."""
