#include <future>

#include "tests/history/history_test_support.h"

namespace {

using namespace annals_test;

class CancelTest : public HistoryTest, public testing::WithParamInterface<bool> {
 protected:
  CancelTest() {
    EXPECT_TRUE(Append(Chain(5)).ok);
    annals_faulty_store_set_pending(store_, GetParam());
  }
  ~CancelTest() override {
    annals_faulty_store_set_pending(store_, false);
  }

  int Calls(unsigned operations) {
    return annals_faulty_store_calls(store_, operations);
  }
};

INSTANTIATE_TEST_SUITE_P(Store, CancelTest, testing::Bool(),
                         [](const auto &info) { return info.param ? "Pending" : "Direct"; });

TEST_P(CancelTest, NobodyIsDueUnlessToldOrLate) {
  annals_cancel cancel = {};
  EXPECT_FALSE(annals_cancel_is_due(nullptr));
  EXPECT_FALSE(annals_cancel_is_due(&cancel));
  cancel.deadline_us = G_MAXINT64;
  EXPECT_FALSE(annals_cancel_is_due(&cancel));
  cancel_ = &cancel;
  EXPECT_EQ(Page().events, Chain(5));
  annals_cancel_now(&cancel);
  EXPECT_TRUE(annals_cancel_is_due(&cancel));
  cancel = {};
  cancel.deadline_us = 1;
  EXPECT_TRUE(annals_cancel_is_due(&cancel));
}

TEST_P(CancelTest, PagesEndBeforeTheNextRun) {
  annals_cancel cancel = {};
  cancel_ = &cancel;
  annals_cancel_now(&cancel);
  Paged page = Page();
  EXPECT_EQ(page.reason, "CANCELLED");
  EXPECT_EQ(page.message, "the client has cancelled the call");
  EXPECT_EQ(page.bytes, "");
  cancel.deadline_us = 1;
  EXPECT_EQ(Page().reason, "DEADLINE_EXCEEDED");
}

TEST_P(CancelTest, AppendsAreNotWritten) {
  const int appends = Calls(ANNALS_FAULTY_APPEND);
  annals_cancel cancel = {};
  cancel_ = &cancel;
  annals_cancel_now(&cancel);
  EXPECT_EQ(Append({Entered(6)}).reason, "CANCELLED");
  cancel.deadline_us = 1;
  EXPECT_EQ(Append({Entered(6)}).reason, "DEADLINE_EXCEEDED");
  EXPECT_EQ(Calls(ANNALS_FAULTY_APPEND), appends);
  cancel_ = nullptr;
  EXPECT_EQ(Page().events.size(), 5U);
}

/* The clients' retries are read and compared: that stops as well. */
TEST_P(CancelTest, RetriesAreNotCompared) {
  const int reads = Calls(ANNALS_FAULTY_READ);
  annals_cancel cancel = {};
  cancel_ = &cancel;
  annals_cancel_now(&cancel);
  EXPECT_EQ(Append(Chain(5)).reason, "CANCELLED");
  EXPECT_EQ(Calls(ANNALS_FAULTY_READ), reads);
}

struct Stopped {
  annals_cancel cancel = {};
  std::promise<void> done;
  int events = 0;
};

/* Gets a page for which nobody waits any more after the first event. */
void GetStopped(annals_history *history, const annals_page_request &request, Stopped &stopped) {
  annals_page page = {};
  page.owner = &stopped;
  page.cancel = &stopped.cancel;
  page.on_done = [](annals_page *it) { static_cast<Stopped *>(it->owner)->done.set_value(); };
  annals_page_format format = {};
  format.encode = [](const annals_page *it, const annals_frame *, annals_buffer *) {
    auto *self = static_cast<Stopped *>(it->owner);
    annals_cancel_now(&self->cancel);
    self->events++;
    return true;
  };
  page.format = &format;
  page.request = request;
  if (annals_page_get(history, &page) == ANNALS_PENDING) {
    stopped.done.get_future().wait();
  }
  EXPECT_EQ(annals_error_reason(page.error), ANNALS_REASON_CANCELLED);
  annals_page_clear(&page);
}

/* Appends that are stored run by run. */
TEST_P(CancelTest, PagesEndBetweenRuns) {
  for (int id = 6; id <= 9; id++) {
    ASSERT_TRUE(Append({Entered(id)}).ok);
  }
  annals_page_request request = {};
  request.execution_arn = kArn;
  request.include_execution_data = true;
  Stopped stopped;
  GetStopped(history_, request, stopped);
  EXPECT_EQ(stopped.events, 5);
}

/* All events are there; that the token is of this execution is not asked any more. */
TEST_P(CancelTest, PagesEndBeforeTheNextStep) {
  PageQuery query;
  query.max_results = 2;
  const std::string token = Page(query).token;
  annals_page_request request = {};
  request.execution_arn = kArn;
  request.include_execution_data = true;
  request.next_token = token.c_str();
  const int gets = Calls(ANNALS_FAULTY_GET);
  Stopped stopped;
  GetStopped(history_, request, stopped);
  EXPECT_EQ(stopped.events, 3);
  EXPECT_EQ(Calls(ANNALS_FAULTY_GET), gets);
}

}  // namespace
