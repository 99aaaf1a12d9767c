package storetest

import (
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

func newJob(at time.Time) store.Job {
	return store.Job{
		Job: fleet.Job{
			ID: fleet.NewUUID[fleet.JobID](at), Name: "locate", Targets: 2, IssuedBy: somebody, IssuedAt: At, ExpiresAt: At.Add(time.Hour),
		},
		SiteFilter: "tag:med", Window: &store.JobWindow{From: "02:00", To: "04:00"}, Plan: []store.JobSite{{Site: "a", Devices: []fleet.DeviceID{"d"}}},
	}
}

func jobsKept(t *testing.T, s store.Store) {
	ctx := t.Context()
	first, err := s.PutJob(ctx, somebody, store.AuditJobBegun, newJob(At), 0)
	must(t, err)
	same(t, first.Version, uint64(1))
	second, err := s.PutJob(ctx, somebody, store.AuditJobBegun, newJob(At.Add(time.Second)), 0)
	must(t, err)
	_, err = s.PutJob(ctx, somebody, "", first, 0)
	want(t, err, fleet.ErrExists)
	_, err = s.PutJob(ctx, somebody, "", first, 9)
	want(t, err, fleet.ErrVersion)
	_, err = s.PutJob(ctx, somebody, "", newJob(At), 9)
	want(t, err, fleet.ErrNotFound)
	first.Plan, first.DoneAt = nil, At.Add(time.Hour)
	first.Final = map[fleet.SiteID]map[store.TargetState]int{"a": {store.TargetScheduled: 1}}
	first, err = s.PutJob(ctx, somebody, "", first, 1)
	must(t, err)
	got, err := s.Job(ctx, first.ID)
	must(t, err)
	same(t, got, first)
	_, err = s.Job(ctx, newJob(At).ID)
	want(t, err, fleet.ErrNotFound)
	all, err := s.Jobs(ctx, "", 10)
	must(t, err)
	same(t, all, []store.Job{second, first})
	all, err = s.Jobs(ctx, second.ID, 10)
	must(t, err)
	same(t, all, []store.Job{first})
	n := 0
	for _, e := range AuditOf(t, s) {
		if e.Action == store.AuditJobBegun {
			n++
		}
	}
	same(t, n, 2)
}

func jobTargets(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	AddSite(t, s, "a-1")
	job, other := fleet.NewUUID[fleet.JobID](At), fleet.NewUUID[fleet.JobID](At)
	for _, v := range []store.JobTarget{{Job: job, Site: "a-1", Device: "x"}, {Job: job, Site: "a", Device: "y"}, {Job: job, Site: "a", Device: "b"}, {Job: other, Site: "a", Device: "b"}} {
		v.State, v.UpdatedAt = store.TargetScheduled, At
		update(t, s, v.Site, func(tx store.SiteTx) error { return tx.PutJobTarget(v) })
	}
	update(t, s, "a", func(tx store.SiteTx) error {
		v, found, err := tx.JobTarget(job, "y")
		if must(t, err); !found || v.Site != "a" {
			t.Errorf("target is %+v, %t", v, found)
		}
		v.State, v.Command, v.Order = store.TargetOf(fleet.CommandQueued), commandID(1), 4
		return tx.PutJobTarget(v)
	})
	view(t, s, "a-1", func(v store.SiteView) error {
		_, found, err := v.JobTarget(job, "y")
		same(t, found, false)
		return err
	})
	list := func(after store.TargetRef) (out []string) {
		must(t, s.JobTargets(t.Context(), job, after, func(v store.JobTarget) bool {
			out = append(out, string(v.Site)+" "+string(v.Device)+" "+string(v.State))
			return true
		}))
		return out
	}
	same(t, list(store.TargetRef{}), []string{"a b scheduled", "a y queued", "a-1 x scheduled"})
	same(t, list(store.TargetRef{Site: "a", Device: "b"}), []string{"a y queued", "a-1 x scheduled"})
}
