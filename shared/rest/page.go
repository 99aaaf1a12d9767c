package rest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
)

// Page is one page of a list.
type Page[T any] struct {
	Items []T `json:"items" nullable:"false" doc:"What the page has, sorted as the list is."`
	// NextCursor is null on the last page.
	NextCursor *string `json:"next_cursor" doc:"For the next page; null on the last."`
}

// PageOf returns the page of rows, of which there may be one more than limit:
// then the cursor of the last that is shown leads on. It is how a list asks its
// store for limit+1 rows and needs no count.
func PageOf[T any](rows []T, limit int, cursor func(last T) any) Page[T] {
	if rows == nil {
		rows = []T{}
	}
	if len(rows) <= limit {
		return Page[T]{Items: rows}
	}
	rows = rows[:limit]
	next := EncodeCursor(cursor(rows[limit-1]))
	return Page[T]{Items: rows, NextCursor: &next}
}

// PageInput is the part of a list's input that says which page. Embed it.
type PageInput struct {
	Limit  int    `query:"limit" minimum:"1" doc:"How many items at most; the program has a default and a maximum."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`
}

// Resolve fills in the default limit and checks the maximum; huma calls it.
func (p *PageInput) Resolve(hc huma.Context) []error {
	x := exchangeOf(hc.Context())
	def, most := 50, 500
	if x.api != nil {
		def, most = x.api.cfg.PageDefault, x.api.cfg.PageMax
	}
	if p.Limit == 0 {
		p.Limit = min(def, most)
	}
	if p.Limit > most {
		return []error{&huma.ErrorDetail{Location: "query.limit", Message: fmt.Sprintf("expected at most %d", most)}}
	}
	return nil
}

// EncodeCursor returns v, which must be written as JSON, as an opaque cursor.
func EncodeCursor(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("rest: cursor %T: %v", v, err))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor reads what EncodeCursor has written; the zero T for "". A
// cursor that this program has not made is ErrSyntax.
func DecodeCursor[T any](s string) (T, error) {
	var v T
	if s == "" {
		return v, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		var zero T
		return zero, fmt.Errorf("cursor %w: take next_cursor as it is", ErrSyntax)
	}
	return v, nil
}
