package api

import (
	"context"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/rest"
)

// DocumentView is what each document is shown with. Exported, as DeviceBody is.
type DocumentView struct {
	UpdatedAt *time.Time `json:"updated_at,omitempty" doc:"Absent for what is part of the program."`
	Version   uint64     `json:"version"`
	ETag      string     `json:"etag"`
}

func documentViewOf[T any](d document.Of[T]) DocumentView {
	v := DocumentView{Version: d.Version, ETag: rest.ETag(d.Version)}
	if !d.UpdatedAt.IsZero() {
		v.UpdatedAt = &d.UpdatedAt
	}
	return v
}

// NamePath is the path of one document.
type NamePath struct {
	Name string `path:"name" maxLength:"64"`
}

// documents are the routes of all documents of one kind: T is what is stored, N
// what makes a new one, V how one is shown.
type documents[T, N, V any] struct {
	// path is where they are; noun names one of them in operation ids and
	// summaries.
	path, noun, plural, tag string
	read, write             account.Action
	set                     *document.Set[T]
	// named gives the name and the value of a new one.
	named func(N) (string, T)
	view  func(document.Of[T]) V
	// builtIn are those that stand while none of their name is stored, at version
	// 0; may be nil.
	builtIn func() []document.Of[T]
}

type documentOutput[V any] struct {
	ETag string `header:"ETag"`
	Body V
}

func (d documents[T, N, V]) register(a *API) {
	tags := []string{d.tag}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-" + d.plural, Method: http.MethodGet, Path: d.path, Permission: d.read,
		Summary: "All " + d.plural + ", by name", Tags: tags,
	}, func(context.Context, *struct{}) (*struct{ Body rest.Page[V] }, error) {
		page := rest.Page[V]{Items: []V{}}
		for _, v := range d.all() {
			page.Items = append(page.Items, d.view(v))
		}
		return &struct{ Body rest.Page[V] }{page}, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "add-" + d.noun, Method: http.MethodPost, Path: d.path, Permission: d.write, Status: http.StatusCreated,
		Idempotent: true, Summary: "Make a " + d.noun, Tags: tags,
	}, func(ctx context.Context, in *struct{ Body N }) (*documentOutput[V], error) {
		name, v := d.named(in.Body)
		if err := d.set.Add(ctx, actor(ctx), name, v); err != nil {
			return nil, err
		}
		return d.one(name)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-" + d.noun, Method: http.MethodGet, Path: d.path + "/{name}", Permission: d.read,
		Summary: "One " + d.noun, Tags: tags,
	}, func(_ context.Context, in *NamePath) (*documentOutput[V], error) { return d.one(in.Name) })
	rest.Register(a.rest, rest.Route{
		OperationID: "change-" + d.noun, Method: http.MethodPut, Path: d.path + "/{name}", Permission: d.write, IfMatch: true,
		Summary: "Replace a " + d.noun, Tags: tags,
	}, func(ctx context.Context, in *struct {
		NamePath
		Body T
	}) (*documentOutput[V], error) {
		now, err := d.get(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err == nil && now.Version == 0 {
			err = d.set.Add(ctx, actor(ctx), in.Name, in.Body) // in the place of the built-in one
		} else if err == nil {
			err = d.set.Change(ctx, actor(ctx), in.Name, in.Body, now.Version)
		}
		if err != nil {
			return nil, err
		}
		return d.one(in.Name)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-" + d.noun, Method: http.MethodDelete, Path: d.path + "/{name}", Permission: d.write, IfMatch: true,
		Summary: "Remove a " + d.noun, Tags: tags,
	}, func(ctx context.Context, in *NamePath) (*struct{}, error) {
		now, err := d.set.Get(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err != nil {
			return nil, err
		}
		return nil, d.set.Remove(ctx, actor(ctx), in.Name, now.Version)
	})
}

// all are the documents, and the built-in ones that none replaces.
func (d documents[T, N, V]) all() []document.Of[T] {
	all := d.set.All()
	if d.builtIn == nil {
		return all
	}
	for _, b := range d.builtIn() {
		if _, err := d.set.Get(b.Name); err != nil {
			all = append(all, b)
		}
	}
	return all
}

func (d documents[T, N, V]) get(name string) (document.Of[T], error) {
	v, err := d.set.Get(name)
	if err != nil && d.builtIn != nil {
		for _, b := range d.builtIn() {
			if b.Name == name {
				return b, nil
			}
		}
	}
	return v, err
}

func (d documents[T, N, V]) one(name string) (*documentOutput[V], error) {
	v, err := d.get(name)
	if err != nil {
		return nil, err
	}
	return &documentOutput[V]{ETag: rest.ETag(v.Version), Body: d.view(v)}, nil
}
