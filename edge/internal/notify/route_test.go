package notify_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/edge/internal/notify"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// routed is a ship whose routing is in the test's hand.
func routed(t *testing.T, route func(fleet.Request) notify.Routing) *ship {
	return newShipWith(t, store.InMemory(), route)
}

var (
	milasWatch = notify.Recipient{Watch: "watch-1", Person: "mila", Name: "Mila"}
	antesWatch = notify.Recipient{Watch: "watch-2", Person: "ante", Name: "Ante"}
)

func TestRoute_OnlyThoseOfTheLevelRingAndMoreWhenItEscalates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := routed(t, func(r fleet.Request) notify.Routing {
			to := []notify.Recipient{milasWatch}
			if r.Level > 0 {
				to = append(to, antesWatch, notify.Recipient{Person: "zoe", Name: "Zoe"})
			}
			return notify.Routing{To: to}
		})
		defer h.stop()
		h.press(fleet.Normal)
		h.is("watch-1", "open", 1)
		h.is("watch-2", "open", 0)
		h.do(fleet.RequestEscalated{Request: call, Number: 2, Level: 1, To: fleet.ToBackup, Cause: fleet.CauseTime})
		h.is("watch-1", "open", 1) // it has been told
		h.is("watch-2", "open", 1)
		r := h.Reach(call)
		if r.Watches != 2 || r.Reached != 2 || len(r.Unreachable) != 1 || r.Unreachable[0].Why != notify.WhyNoWatch || r.Unreachable[0].Name != "Zoe" {
			t.Errorf("reach %+v", r)
		}
	})
}

func TestRoute_QuietRoomRingsNobodyUntilTheQuietEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := time.Now().Add(10 * time.Minute)
		h := routed(t, func(fleet.Request) notify.Routing {
			return notify.Routing{To: []notify.Recipient{milasWatch}, Quiet: time.Now().Before(until)}
		})
		defer h.stop()
		h.press(fleet.Normal)
		time.Sleep(9 * time.Minute)
		h.is("watch-1", "open", 0)
		if r := h.Reach(call); !r.Quiet {
			t.Errorf("reach %+v", r)
		}
		time.Sleep(time.Minute + 5*time.Second)
		h.is("watch-1", "open", 1)
	})
}

func TestRoute_WhoDeclinedIsNotRungAgainAndIsToldHowItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := routed(t, func(fleet.Request) notify.Routing {
			return notify.Routing{To: []notify.Recipient{milasWatch, antesWatch}}
		})
		defer h.stop()
		h.press(fleet.Urgent)
		h.doBy(fleet.Actor{Kind: fleet.ActorDevice, ID: "watch-1", PersonID: "mila", Name: "Mila"}, fleet.RequestDeclined{Request: call, Number: 2})
		time.Sleep(5 * time.Minute)
		h.is("watch-1", "open", 1)
		if n := h.count("watch-2", "open"); n < 8 {
			t.Errorf("the other one rang %d times", n)
		}
		if r := h.Reach(call); len(r.Unreachable) != 1 || r.Unreachable[0].Why != notify.WhyDeclined {
			t.Errorf("reach %+v", r)
		}
		h.do(fleet.RequestStepped{Request: call, Version: 2, State: fleet.RequestAccepted})
		h.is("watch-1", "accepted", 1)
	})
}

func TestOffer_ReachesThePersonsWatchThoughSomebodyHasTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := routed(t, func(r fleet.Request) notify.Routing {
			v := notify.Routing{To: []notify.Recipient{milasWatch}}
			if r.Offer != nil {
				v.Offeree = "watch-2"
			}
			return v
		})
		defer h.stop()
		h.press(fleet.Normal)
		h.do(fleet.RequestStepped{Request: call, Version: 2, State: fleet.RequestAccepted})
		h.do(fleet.RequestOffered{Request: call, Number: 3, Person: "ante", Name: "Ante", ExpiresAt: fleet.Millis(time.Now().Add(time.Minute))})
		h.is("watch-2", "open", 1)
		h.set(func() {
			last := h.messages[len(h.messages)-1]
			if last.body["offered_by"] != "Mila" || last.body["version"] != 2.0 || last.body["expires_at"] == nil {
				t.Errorf("told %v", last.body)
			}
		})
		h.do(fleet.RequestDeclined{Request: call, Number: 4, Offer: fleet.OfferExpired})
		h.is("watch-2", "accepted", 1) // it is over for him
	})
}

// Defect 7 of the product: a watch is connected, but deaf.
func TestDefect7_WatchThatNeverAnswersIsNotCountedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		deaf := fleet.Device{ID: "watch-1", Type: fleet.Watch}
		if why := h.Why(deaf); why != "" {
			t.Errorf("before anything was asked of it: %q", why)
		}
		h.set(func() { h.takes = false })
		h.press(fleet.Normal)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if why := h.Notifier.Why(deaf); why != notify.WhyNoAnswer {
			t.Errorf("half a minute later: %q", why)
		}
		if r := h.Reach(call); r.Reached != 0 || r.Unreachable[0].Why != notify.WhyNoAnswer {
			t.Errorf("reach %+v", r)
		}
		h.set(func() { h.takes = true })
		h.Wake("watch-1")
		h.is("watch-1", "open", h.count("watch-1", "open"))
		if why := h.Notifier.Why(deaf); why != "" {
			t.Errorf("when it has answered: %q", why)
		}
	})
}

func TestLog_SaysWhenACallWasStoredWhoWasToldAndWhoNotAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := store.InMemory()
		h := newShipWith(t, fs, func(fleet.Request) notify.Routing {
			return notify.Routing{To: []notify.Recipient{milasWatch, antesWatch}}
		})
		h.set(func() { h.away["watch-2"] = "not connected" })
		h.press(fleet.Normal)
		h.stop()
		h = newShip(t, fs)
		defer h.stop()
		log, err := h.store.Tellings(call)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]store.Telling{}
		for _, l := range log {
			got[l.What+" "+string(l.Device)] = l
		}
		if got["told watch-1"].Name != "Mila" || got["unreachable watch-2"].Why != "not connected" || got["stored "].At.IsZero() || got["sent watch-1"].At.IsZero() {
			t.Errorf("%+v", log)
		}
	})
}
