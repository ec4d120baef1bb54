#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/history/history_test_support.h"

extern "C" {
#include "server/history/watch.h"
}

namespace {

using namespace annals_test;
using Events = std::vector<std::string>;

bool Encode(annals_watch *watch, const annals_frame *frame) {
  annals_buffer_append(&watch->events, frame->bytes, frame->size);
  return !watch->events.failed;
}

/* A watch that blocks: what is pending is waited for. */
class Watch {
 public:
  Watch(annals_history *history, int64_t from, bool follow_redrives = false, std::string arn = kArn)
      : history_(history), arn_(std::move(arn)) {
    watch_.request.execution_arn = arn_.c_str();
    watch_.request.from_event_id = from;
    watch_.request.follow_redrives = follow_redrives;
    watch_.encode = Encode;
    watch_.on_read = Wake;
    watch_.on_change = Wake;
    watch_.owner = this;
  }

  ~Watch() {
    annals_watch_clear(&watch_);
  }

  annals_watch &raw() {
    return watch_;
  }

  /* Goes on until something is to be told, behind WAITING when that is over. */
  annals_watch_progress Next() {
    annals_watch_progress progress = Step();
    while (progress == ANNALS_WATCH_READING) {
      progress = Step();
    }
    return progress;
  }

  /* The same, also when it has to wait. */
  annals_watch_progress Follow() {
    annals_watch_progress progress = Next();
    while (progress == ANNALS_WATCH_WAITING) {
      progress = Next();
    }
    return progress;
  }

  int wakes() {
    std::lock_guard<std::mutex> hold(lock_);
    return wakes_;
  }

  /* Takes the events that were given. */
  Events Take() {
    Events events;
    size_t offset = 0;
    annals_frame frame;
    while (annals_frame_next(watch_.events.data, watch_.events.len, &offset, &frame)) {
      events.emplace_back(reinterpret_cast<const char *>(frame.event), frame.event_size);
    }
    EXPECT_EQ(offset, watch_.events.len);
    EXPECT_EQ(static_cast<int>(events.size()), watch_.event_count);
    annals_buffer_reset(&watch_.events);
    return events;
  }

  std::string reason() {
    return watch_.error == nullptr ? ""
                                   : annals_reason_info(annals_error_reason(watch_.error))->name;
  }

 private:
  static void Wake(annals_watch *watch) {
    auto *self = static_cast<Watch *>(watch->owner);
    std::lock_guard<std::mutex> hold(self->lock_);
    self->wakes_++;
    self->changed_.notify_one();
  }

  /* One step, when what is pending is there. */
  annals_watch_progress Step() {
    if (pending_) {
      AwaitWake();
    }
    annals_watch_progress progress =
        begun_ ? annals_watch_next(&watch_) : annals_watch_begin(history_, &watch_);
    begun_ = true;
    pending_ = progress == ANNALS_WATCH_READING || progress == ANNALS_WATCH_WAITING;
    return progress;
  }

  void AwaitWake() {
    std::unique_lock<std::mutex> hold(lock_);
    changed_.wait(hold, [this] { return wakes_ > 0; });
    wakes_--;
  }

  annals_history *history_;
  std::string arn_;
  annals_watch watch_ = {};
  bool begun_ = false;
  bool pending_ = false;
  std::mutex lock_;
  std::condition_variable changed_;
  int wakes_ = 0;
};

/* Over the engine as it is, and with every step pending. */
class WatchTest : public HistoryTest, public testing::WithParamInterface<bool> {
 protected:
  WatchTest() {
    annals_faulty_store_set_pending(store_, GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(Store, WatchTest, testing::Bool(),
                         [](const auto &info) { return info.param ? "Pending" : "Direct"; });

TEST_P(WatchTest, GivesWhatIsStoredThenWhatComes) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  Watch watch(history_, 0);
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
  EXPECT_EQ(watch.Take(), All());
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
  EXPECT_EQ(watch.wakes(), 0);
  ASSERT_TRUE(Append({Entered(4, 200), Entered(5, 200)}).ok);
  EXPECT_EQ(watch.wakes(), 1);
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
  Events all = All();
  EXPECT_EQ(watch.Take(), Events(all.begin() + 3, all.end()));
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
}

TEST_P(WatchTest, GoesOnFromAnId) {
  ASSERT_TRUE(Append(Chain(230)).ok);
  Events all = All();
  for (int64_t from : {1, 2, 100, 101, 229, 230}) {
    Watch watch(history_, from);
    EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
    EXPECT_EQ(watch.Take(), Events(all.begin() + from - 1, all.end())) << from;
    EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
  }
  Watch behind(history_, 231);
  EXPECT_EQ(behind.Next(), ANNALS_WATCH_WAITING);
  ASSERT_TRUE(Append({Entered(231, 1000)}).ok);
  EXPECT_EQ(behind.Next(), ANNALS_WATCH_EVENTS);
  EXPECT_EQ(behind.Take(), Events{All().back()});
}

TEST_P(WatchTest, EndsWithTheHistory) {
  ASSERT_TRUE(Append({Started()}).ok);
  Watch watch(history_, 1);
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
  watch.Take();
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
  ASSERT_TRUE(Append({Succeeded(2, 200)}).ok);
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
  EXPECT_EQ(watch.Take(), Events{All().back()});
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_DONE);
  EXPECT_EQ(watch.reason(), "");

  Watch again(history_, 3); /* a client that was cut off behind the last event */
  EXPECT_EQ(again.Next(), ANNALS_WATCH_DONE);
  EXPECT_EQ(again.reason(), "");
}

TEST_P(WatchTest, FollowsRedrives) {
  ASSERT_TRUE(Append({Started(), Succeeded(2, 200)}).ok);
  Watch watch(history_, 3, true);
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
  Watch over(history_, 1);
  EXPECT_EQ(over.Next(), ANNALS_WATCH_EVENTS);
  over.Take();
  EXPECT_EQ(over.Next(), ANNALS_WATCH_DONE);
  ASSERT_TRUE(Append({Typed(60, 3)}).ok);
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
  EXPECT_EQ(watch.Take(), Events{All().back()});
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
}

TEST_P(WatchTest, GivesABoundedPartAtATime) {
  const std::string input(20000, 'x');
  ASSERT_TRUE(Append(Chain(10, input)).ok);
  const std::string big(200000, 'y');
  ASSERT_TRUE(Append({Entered(11, 300, big)}).ok);
  Watch watch(history_, 1);
  Events got;
  std::vector<int> counts;
  annals_watch_progress progress;
  while ((progress = watch.Next()) == ANNALS_WATCH_EVENTS) {
    counts.push_back(watch.raw().event_count);
    for (const std::string &event : watch.Take()) {
      got.push_back(event);
    }
  }
  EXPECT_EQ(progress, ANNALS_WATCH_WAITING);
  EXPECT_EQ(counts, (std::vector<int>{4, 3, 3, 1}));
  EXPECT_EQ(got, All());
}

TEST_P(WatchTest, FailsWhenTheExecutionIsDeleted) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  Watch watch(history_, 1);
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
  watch.Take();
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
  ASSERT_TRUE(Delete().ok);
  ASSERT_TRUE(Append(Chain(9)).ok); /* another execution of this name */
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_DONE);
  EXPECT_EQ(watch.reason(), "EXECUTION_DOES_NOT_EXIST");
  Watch next(history_, 9);
  EXPECT_EQ(next.Next(), ANNALS_WATCH_EVENTS);
  EXPECT_EQ(next.Take().size(), 1u);
}

TEST_P(WatchTest, RefusesWhatCannotBeWatched) {
  Watch missing(history_, 1);
  EXPECT_EQ(missing.Next(), ANNALS_WATCH_DONE);
  EXPECT_EQ(missing.reason(), "EXECUTION_DOES_NOT_EXIST");
  Watch negative(history_, -1);
  EXPECT_EQ(negative.Next(), ANNALS_WATCH_DONE);
  EXPECT_EQ(negative.reason(), "INVALID_REQUEST");
  Watch shape(history_, 1, false, "arn:aws:states:us-east-1:123456789012:express:m:n:u");
  EXPECT_EQ(shape.Next(), ANNALS_WATCH_DONE);
  EXPECT_EQ(shape.reason(), "INVALID_ARN");
  ASSERT_TRUE(Append(Chain(3)).ok);
  Watch ahead(history_, 5);
  EXPECT_EQ(ahead.Next(), ANNALS_WATCH_DONE);
  EXPECT_EQ(ahead.reason(), "INVALID_REQUEST");
  EXPECT_STREQ(ahead.raw().error->message, "from_event_id: the history ends at id 3");
  EXPECT_STREQ(annals_error_metadata_value(ahead.raw().error, "last_event_id"), "3");
}

TEST_P(WatchTest, StopsWhenNobodyWaits) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  annals_cancel cancel = {};
  Watch watch(history_, 1);
  watch.raw().cancel = &cancel;
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
  watch.Take();
  annals_cancel_now(&cancel);
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_DONE);
  EXPECT_EQ(watch.reason(), "CANCELLED");
}

TEST_P(WatchTest, IsToldOfItsExecutionAlone) {
  const std::string other = std::string(kArn) + "2";
  ASSERT_TRUE(Append(Chain(1)).ok);
  ASSERT_TRUE(Append(Chain(1), other).ok);
  Watch one(history_, 2);
  Watch two(history_, 2, false, other);
  EXPECT_EQ(one.Next(), ANNALS_WATCH_WAITING);
  EXPECT_EQ(two.Next(), ANNALS_WATCH_WAITING);
  ASSERT_TRUE(Append({Entered(2, 300)}, other).ok);
  EXPECT_EQ(one.wakes(), 0);
  EXPECT_EQ(two.wakes(), 1);
  ASSERT_TRUE(Append({Entered(2, 300)}, other).ok); /* a retry changes nothing */
  EXPECT_EQ(two.wakes(), 1);
}

/* Who has appended more is going to tell: the store need not say whether there is any. */
TEST_P(WatchTest, ReadsNoFurtherThanHasBeenToldOf) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  Watch watch(history_, 4);
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
  ASSERT_TRUE(Append({Entered(4, 200)}).ok);
  annals_history *watched = history_;
  history_ = annals_history_new(&options_); /* what it appends, nobody is told of */
  ASSERT_TRUE(Append({Entered(5, 200)}).ok);
  annals_history_free(history_);
  history_ = watched;
  Events all = All();
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
  EXPECT_EQ(watch.Take(), Events{all[3]});
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
  ASSERT_TRUE(Append({Entered(6, 200)}).ok);
  all = All();
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_EVENTS);
  EXPECT_EQ(watch.Take(), (Events{all[4], all[5]}));
  EXPECT_EQ(watch.Next(), ANNALS_WATCH_WAITING);
}

/* Each event once and in order, however appends and watches meet. */
TEST_P(WatchTest, MissesNothingUnderConcurrentAppends) {
  constexpr int kEvents = 300;
  constexpr int kWatches = 4;
  ASSERT_TRUE(Append({Started()}).ok);
  std::vector<Events> got(kWatches);
  std::vector<std::thread> threads;
  for (int i = 0; i < kWatches; i++) {
    threads.emplace_back([this, &got, i] {
      Watch watch(history_, 1);
      while (watch.Follow() == ANNALS_WATCH_EVENTS) {
        for (const std::string &event : watch.Take()) {
          got[i].push_back(event);
        }
      }
      EXPECT_EQ(watch.reason(), "");
    });
  }
  for (int id = 2; id < kEvents; id++) {
    ASSERT_TRUE(Append({Entered(id, 200)}).ok);
  }
  ASSERT_TRUE(Append({Succeeded(kEvents, 300)}).ok);
  for (std::thread &thread : threads) {
    thread.join();
  }
  Events all = All();
  ASSERT_EQ(all.size(), static_cast<size_t>(kEvents));
  for (const Events &events : got) {
    EXPECT_EQ(events, all);
  }
}

}  // namespace
