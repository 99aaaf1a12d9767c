package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/obedio/obedio/edge/internal/store"
)

// Document is the OpenAPI document of the hub's API, indented.
func Document(ctx context.Context) ([]byte, error) {
	h, err := New(ctx, Config{Data: "document", Site: "document", FS: store.InMemory()})
	if err != nil {
		return nil, err
	}
	doc, err := h.api.Rest().Document()
	if err = errors.Join(err, h.Close()); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, doc, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
