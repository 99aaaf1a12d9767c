package badger

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/storetest"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// BenchmarkReceive_States takes pushes of 100 device states from many sites at
// once, each synced.
func BenchmarkReceive_States(b *testing.B) {
	const sites, rows = 200, 100
	s := open(b, Config{Dir: b.TempDir(), MemTableBytes: 64 << 20})
	for i := range sites {
		id := fleet.SiteID(fmt.Sprint("site-", i))
		storetest.AddSite(b, s, id)
		if err := s.UpdateSite(b.Context(), id, func(tx store.SiteTx) error {
			for d := range rows {
				err := tx.PutEntity(fleet.Device{ID: fleet.DeviceID(fmt.Sprint("button-", d)), Type: fleet.Button, Room: "cabin-1", Version: 1})
				if err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Uint64
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			n := next.Add(1)
			i := n % sites
			at := n / sites * rows
			push := lane.Push{State: &lane.StateBatch{After: 0, Upto: at + rows, AsOfMS: storetest.At.UnixMilli()}}
			for d := range rows {
				push.State.States = append(push.State.States, fleet.DeviceState{
					ID: fleet.DeviceID(fmt.Sprint("button-", d)), Presence: fleet.Ready, Since: storetest.At, LastSeen: storetest.At, Version: at + uint64(d) + 1,
				})
			}
			err := s.UpdateSite(b.Context(), fleet.SiteID(fmt.Sprint("site-", i)), func(tx store.SiteTx) error {
				_, err := lane.Receive(tx, push)
				return err
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
