package feed_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/feed"
)

func TestNext_WaitsForWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := feed.New[string](4)
		r := f.Subscribe(f.Head())
		got := make(chan string)
		go func() {
			item, err := r.Next(t.Context())
			if err != nil || item.Pos != 1 {
				t.Errorf("got position %d, %v", item.Pos, err)
			}
			got <- item.Value
		}()
		synctest.Wait() // the reader waits
		if pos := f.Publish("a"); pos != 1 {
			t.Errorf("position %d, want 1", pos)
		}
		if v := <-got; v != "a" {
			t.Errorf("got %q", v)
		}
	})
}

func TestNext_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := feed.New[int](4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := f.Subscribe(0).Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNext_TellsALaggingReaderAndGoesOn(t *testing.T) {
	f := feed.New[int](3)
	r := f.Subscribe(0)
	for i := 1; i <= 5; i++ {
		f.Publish(i)
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, feed.ErrLagged) {
		t.Fatalf("got %v, want ErrLagged", err)
	}
	if r.Pos() != 5 {
		t.Errorf("goes on after %d, want 5", r.Pos())
	}
	f.Publish(6)
	if item, err := r.Next(t.Context()); err != nil || item.Value != 6 || item.Pos != 6 {
		t.Errorf("got %+v, %v", item, err)
	}
	// All that are kept can still be read by another.
	kept := f.Subscribe(f.Oldest())
	for want := 4; want <= 6; want++ {
		if item, err := kept.Next(t.Context()); err != nil || item.Value != want {
			t.Errorf("got %+v, %v, want %d", item, err, want)
		}
	}
	if _, ok, err := kept.Poll(); ok || err != nil {
		t.Errorf("Poll at the end: %v, %v", ok, err)
	}
}

func TestNext_PositionOfAnotherLifeIsLagging(t *testing.T) {
	f := feed.New[int](3)
	f.Publish(1)
	r := f.Subscribe(77)
	if _, err := r.Next(t.Context()); !errors.Is(err, feed.ErrLagged) || r.Pos() != 1 {
		t.Errorf("got %v at %d", err, r.Pos())
	}
}

func TestClose_ReadersGetTheRestFirst(t *testing.T) {
	f := feed.New[int](3)
	f.Publish(1)
	f.Close()
	f.Close()
	if pos := f.Publish(2); pos != 1 || f.Head() != 1 {
		t.Errorf("published after Close at %d", pos)
	}
	r := f.Subscribe(0)
	if item, err := r.Next(t.Context()); err != nil || item.Value != 1 {
		t.Errorf("got %+v, %v", item, err)
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestFeed_EveryReaderGetsAllInOrder(t *testing.T) {
	const values, readers = 2000, 8
	f := feed.New[int](values)
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			r := f.Subscribe(0)
			for want := 1; want <= values; want++ {
				item, err := r.Next(t.Context())
				if err != nil || item.Pos != uint64(want) {
					t.Errorf("got %+v, %v, want position %d", item, err, want)
					return
				}
			}
		})
	}
	for range 4 { // publishers
		wg.Go(func() {
			for i := range values / 4 {
				f.Publish(i)
			}
		})
	}
	wg.Wait()
}

func TestFeed_NothingIsLostSilently(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := feed.New[uint64](rapid.IntRange(1, 8).Draw(t, "size"))
		r := f.Subscribe(0)
		var read uint64
		for _, publish := range rapid.SliceOf(rapid.Bool()).Draw(t, "steps") {
			if publish {
				f.Publish(f.Head() + 1)
				continue
			}
			item, ok, err := r.Poll()
			switch {
			case err != nil && (!errors.Is(err, feed.ErrLagged) || r.Pos() <= read):
				t.Fatalf("%v at %d after %d", err, r.Pos(), read)
			case err != nil:
				read = r.Pos() // told
			case ok && (item.Pos != read+1 || item.Value != item.Pos):
				t.Fatalf("got %+v after %d", item, read)
			case ok:
				read = item.Pos
			case read != f.Head():
				t.Fatalf("nothing at %d although the head is %d", read, f.Head())
			}
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	f := feed.New[int](1024)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Publish(i)
	}
}
