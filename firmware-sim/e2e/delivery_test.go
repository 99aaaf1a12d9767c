package e2e

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// long says that the tests may take the time that they take by hand.
var long = os.Getenv("OBEDIO_LONG") == "1"

func TestDelivery_ReceiveMaximum20At2000ASecondGetsEveryMessage(t *testing.T) {
	hub, api, _ := startHub(t)
	got := listener(t, hub, api, hello{version: 5, receiveMax: 20})
	p := newTalker(t, hub.Listeners["mqtt"], api.addDevice("sensor-001", "sensor", "store"))
	messages := 6000
	if long {
		messages = 120_000
	}
	began := time.Now()
	pace := time.NewTicker(5 * time.Millisecond) // ten each time
	defer pace.Stop()
	for p.sent < messages {
		<-pace.C
		for range 10 {
			if !p.say() {
				t.Fatal("the hub has ended the connection")
			}
		}
	}
	p.settle(t)
	rate := float64(p.sent) / time.Since(began).Seconds()
	waitFor(t, 60*time.Second, "the last message", func() bool { return got.sum.Load() >= int64(p.sent) })
	t.Logf("%d messages at %.0f a second, %d received; dropped %v", p.sent, rate, got.sum.Load(), api.counters().Dropped)
	got.check(t, p.topic, p.sent)
}

func TestDelivery_FiftyPublishersFlatOutNeitherHangNorLose(t *testing.T) {
	rounds, each := 1, 5*time.Second
	if long {
		rounds, each = 5, time.Minute
	}
	hub, api, _ := startHub(t)
	got := listener(t, hub, api, hello{version: 5})
	devices := api.addMany(50, "sensor-", "sensor", "store")
	var all []*talker
	for _, d := range devices {
		all = append(all, newTalker(t, hub.Listeners["mqtt"], d))
	}
	for round := range rounds {
		end := time.NewTimer(each)
		stop := make(chan struct{})
		var talking sync.WaitGroup
		for _, p := range all {
			talking.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if !p.say() {
							t.Errorf("%s: the hub has ended the connection", p.topic)
							return
						}
					}
				}
			})
		}
		<-end.C
		close(stop)
		talking.Wait()
		sum := 0
		for _, p := range all {
			p.settle(t)
			sum += p.sent
		}
		waitFor(t, 60*time.Second, "the last message", func() bool { return got.sum.Load() >= int64(sum) })
		c := api.counters()
		t.Logf("round %d: %d messages published, %d received; dropped %v, limits %v", round+1, sum, got.sum.Load(), c.Dropped, c.Limits)
	}
	for _, p := range all {
		got.check(t, p.topic, p.sent)
	}
}

func TestDelivery_SubscriberThatKeepsUpLosesNothingBesideBusyLoops(t *testing.T) {
	hub, api, _ := startHub(t)
	got := listener(t, hub, api, hello{})
	p := newTalker(t, hub.Listeners["mqtt"], api.addDevice("sensor-001", "sensor", "store"))
	messages := 20_000
	if long {
		messages = 200_000
	}
	for range 2 {
		busyLoop(t)
	}
	began := time.Now()
	for p.sent < messages {
		if !p.say() {
			t.Fatal("the hub has ended the connection")
		}
	}
	p.settle(t)
	waitFor(t, 120*time.Second, "the last message", func() bool { return got.sum.Load() >= int64(messages) })
	t.Logf("%d messages in %s; dropped %v", messages, time.Since(began).Round(time.Millisecond), api.counters().Dropped)
	got.check(t, p.topic, messages)
}

func TestDelivery_SixtyQueuedMessagesComeInOrderAlsoOverKill9(t *testing.T) {
	t.Parallel()
	for _, h := range []hello{{keep: true}, {keep: true, version: 5}} {
		for _, kill := range []bool{false, true} {
			t.Run(fmt.Sprintf("version %d, kill %v", max(4, h.version), kill), func(t *testing.T) {
				hub, api, _ := startHub(t)
				d := api.addTo(api.wide("wide"), "watch-001", "watch", "bridge")
				c := dialWire(t, hub.Listeners["mqtt"], d, h)
				c.subscribe(t, "obedio/yacht-1/+/sensor/+/metrics", 1)
				_ = c.Close()
				waitFor(t, 20*time.Second, "the hub to see it gone", func() bool { return api.counters().Connected == 0 })
				p := newTalker(t, hub.Listeners["mqtt"], api.addDevice("sensor-001", "sensor", "store"))
				for p.sent < 60 {
					if !p.say() {
						t.Fatal("the hub has ended the connection")
					}
				}
				p.settle(t)
				if kill {
					hub.kill()
					hub.run()
				}
				got := newTally()
				c = dialWire(t, hub.Listeners["mqtt"], d, h)
				_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
				if err := c.read(func(topic string, payload []byte) bool {
					got.take(topic, payload)
					return got.sum.Load() == 60
				}); err != nil {
					t.Errorf("after %d messages: %v", got.sum.Load(), err)
				}
				got.check(t, p.topic, 60)
				t.Logf("%d messages", got.sum.Load())
			})
		}
	}
}
