package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// ViewBody is a saved view of a list. Exported so that huma sees it where it is
// embedded.
type ViewBody struct {
	Title   string   `json:"title" minLength:"1" maxLength:"80"`
	List    string   `json:"list" enum:"sites,devices,alerts,jobs" doc:"Which list it is of."`
	Filter  string   `json:"filter,omitempty" maxLength:"500"`
	Sort    string   `json:"sort,omitempty" maxLength:"64" doc:"A column, with a minus before it for downwards."`
	Columns []string `json:"columns,omitempty" maxItems:"32"`
	Shared  bool     `json:"shared" doc:"Everybody has it; else its owner only."`
}

// storedView is the body of a document.
type storedView struct {
	ViewBody
	Owner string `json:"owner"`
}

type savedView struct {
	ID string `json:"view_id"`
	ViewBody
	Own       bool           `json:"own" doc:"The subject made it."`
	UpdatedAt time.Time      `json:"updated_at"`
	UpdatedBy resource.Actor `json:"updated_by"`
	Version   uint64         `json:"version"`
	ETag      string         `json:"etag"`
}

type viewOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     savedView
}

// NamePath is the path of one document by its name.
type NamePath struct {
	Name string `path:"id" maxLength:"64"`
}

func (a *API) viewRoutes() {
	tags := []string{"views"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-views", Method: http.MethodGet, Path: "/api/v1/views", Permission: account.SitesRead,
		Summary: "Saved views: one's own, and those that are shared", Tags: tags,
	}, a.listViews)
	rest.Register(a.rest, rest.Route{
		OperationID: "add-view", Method: http.MethodPost, Path: "/api/v1/views", Permission: account.SitesRead,
		Status: http.StatusCreated, Idempotent: true, Summary: "Save a view", Tags: tags,
	}, func(ctx context.Context, in *struct{ Body ViewBody }) (*viewOutput, error) {
		return a.putView(ctx, fleet.NewUUID[string](a.now()), storedView{in.Body, actor(ctx).ID}, 0)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "change-view", Method: http.MethodPut, Path: "/api/v1/views/{id}", Permission: account.SitesRead,
		IfMatch: true, Summary: "Change a view; its owner, or whoever may change settings", Tags: tags,
	}, func(ctx context.Context, in *struct {
		NamePath
		Body ViewBody
	}) (*viewOutput, error) {
		d, v, err := a.ownView(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		v.ViewBody = in.Body
		return a.putView(ctx, in.Name, v, d.Version)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-view", Method: http.MethodDelete, Path: "/api/v1/views/{id}", Permission: account.SitesRead,
		IfMatch: true, Summary: "Remove a view", Tags: tags,
	}, func(ctx context.Context, in *NamePath) (*struct{}, error) {
		d, _, err := a.ownView(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		_, err = a.Store.PutDocument(ctx, actor(ctx), store.Document{Kind: store.DocumentView, Name: in.Name, Removed: true}, d.Version)
		return nil, err
	})
}

func (a *API) putView(ctx context.Context, id string, v storedView, version uint64) (*viewOutput, error) {
	d, err := a.putDocument(ctx, store.DocumentView, id, v, version)
	if err != nil {
		return nil, err
	}
	out := viewOf(ctx, d, v)
	return &viewOutput{ETag: out.ETag, Location: "/api/v1/views/" + id, Body: out}, nil
}

func viewOf(ctx context.Context, d store.Document, v storedView) savedView {
	return savedView{
		ID: d.Name, ViewBody: v.ViewBody, Own: v.Owner == actor(ctx).ID, UpdatedAt: d.UpdatedAt, UpdatedBy: resource.ActorOf(d.UpdatedBy),
		Version: d.Version, ETag: rest.ETag(d.Version),
	}
}

// ownView reads a view that the subject may change, and checks If-Match. What is
// not for the subject's eyes is not there.
func (a *API) ownView(ctx context.Context, id string) (store.Document, storedView, error) {
	d, v, err := readDocument[storedView](ctx, a, store.DocumentView, id)
	if err != nil {
		return d, v, err
	}
	own := v.Owner == actor(ctx).ID
	may := own || v.Shared && a.Accounts.Policy().Can(rest.SubjectOf(ctx), account.SystemWrite, account.Resource{})
	switch {
	case !may && !v.Shared:
		return d, v, fmt.Errorf("%w: view %s", fleet.ErrNotFound, id)
	case !may:
		return d, v, fmt.Errorf("%w: the view is somebody else's", fleet.ErrForbidden)
	}
	return d, v, rest.CheckMatch(ctx, d.Version)
}

func (a *API) listViews(ctx context.Context, in *struct {
	rest.PageInput
	List string `query:"list" maxLength:"20" enum:"sites,devices,alerts,jobs" doc:"Only those of this list."`
}) (*struct{ Body rest.Page[savedView] }, error) {
	after, err := rest.DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := eachDocument(ctx, a, store.DocumentView, after, in.Limit+1, func(d store.Document, v storedView) (savedView, bool) {
		shown := viewOf(ctx, d, v)
		return shown, (v.Shared || shown.Own) && (in.List == "" || v.List == in.List)
	})
	return &struct{ Body rest.Page[savedView] }{rest.PageOf(rows, in.Limit, func(v savedView) any { return v.ID })}, err
}

// putDocument stores v as the body of a document.
func (a *API) putDocument(ctx context.Context, kind store.DocumentKind, name string, v any, version uint64) (store.Document, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return store.Document{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	return a.Store.PutDocument(ctx, actor(ctx), store.Document{Kind: kind, Name: name, Body: body}, version)
}

// readDocument reads a document and its body.
func readDocument[T any](ctx context.Context, a *API, kind store.DocumentKind, name string) (store.Document, T, error) {
	var v T
	d, err := a.Store.Document(ctx, kind, name)
	if err != nil {
		return d, v, err
	}
	if err := json.Unmarshal(d.Body, &v); err != nil {
		return d, v, fmt.Errorf("decode %s %s: %w", kind, name, err)
	}
	return d, v, nil
}

// eachDocument lists what show makes of the documents of a kind, at most so many.
func eachDocument[T, V any](
	ctx context.Context, a *API, kind store.DocumentKind, after string, most int, show func(store.Document, T) (V, bool),
) ([]V, error) {
	var out []V
	for {
		page, err := a.Store.Documents(ctx, kind, after, 200)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			after = d.Name
			var v T
			if err := json.Unmarshal(d.Body, &v); err != nil {
				return nil, fmt.Errorf("decode %s %s: %w", kind, d.Name, err)
			}
			if shown, ok := show(d, v); ok && len(out) < most {
				out = append(out, shown)
			}
		}
		if len(page) < 200 || len(out) == most {
			return out, nil
		}
	}
}
