package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
)

// Document is the OpenAPI document of the console's API, indented.
func Document(ctx context.Context) ([]byte, error) {
	v, err := New(ctx, Config{InMemory: true})
	if err != nil {
		return nil, err
	}
	doc, err := v.api.Rest().Document()
	if err = errors.Join(err, v.Close()); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, doc, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
