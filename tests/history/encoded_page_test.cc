/* Pages in a form of the caller's own, which is kept with the runs that are read again: whatever
 * was kept, each page is the same as without. */
#include <future>

#include "tests/history/history_test_support.h"

namespace {

using namespace annals_test;

const char kLead[] = "events:";

struct Encoder {
  std::promise<void> done;
  int encoded = 0; /* events */
  int put = 0;     /* runs */
};

size_t LeadBytes(const annals_page *page) {
  return page->event_count == 0 ? strlen(kLead) : 1;
}

void AppendLead(annals_page *page) {
  annals_buffer_append_text(&page->events, page->event_count == 0 ? kLead : ",");
}

bool Encode(annals_page *page, const annals_frame *frame) {
  static_cast<Encoder *>(page->owner)->encoded++;
  AppendLead(page);
  annals_buffer_append(&page->events, frame->event, frame->event_size);
  return !page->events.failed;
}

bool PutEncoded(annals_page *page, const uint8_t *bytes, size_t size) {
  static_cast<Encoder *>(page->owner)->put++;
  AppendLead(page);
  annals_buffer_append(&page->events, bytes, size);
  return !page->events.failed;
}

struct EncodedPage {
  std::string text;
  int events = 0;
  std::string token;
  int encoded = 0;
  int put = 0;
};

class EncodedPageTest : public HistoryTest, public testing::WithParamInterface<bool> {
 protected:
  EncodedPageTest() {
    events_ = Chain(230, "{\"input\":\"" + std::string(100, 'x') + "\"}");
    /* Two sealed runs, and an open one in pieces. */
    EXPECT_TRUE(Append({events_.begin(), events_.begin() + 205}).ok);
    for (auto it = events_.begin() + 205; it != events_.end(); ++it) {
      EXPECT_TRUE(Append({*it}).ok);
    }
    annals_faulty_store_set_pending(store_, GetParam());
  }

  EncodedPage Get(const PageQuery &query, bool keeps = true) {
    Encoder encoder;
    annals_page page = {};
    page.owner = &encoder;
    page.on_done = [](annals_page *it) { static_cast<Encoder *>(it->owner)->done.set_value(); };
    page.encode = Encode;
    page.put_encoded = keeps ? PutEncoded : nullptr;
    page.lead_bytes = keeps ? LeadBytes : nullptr;
    page.request.execution_arn = query.arn.c_str();
    page.request.max_results = query.max_results;
    page.request.next_token = query.token.empty() ? nullptr : query.token.c_str();
    page.request.reverse_order = query.reverse;
    page.request.include_execution_data = query.data;
    if (annals_page_get(history_, &page) == ANNALS_PENDING) {
      encoder.done.get_future().wait();
    }
    EXPECT_EQ(page.error, nullptr);
    EncodedPage result;
    result.text.assign(reinterpret_cast<const char *>(page.events.data), page.events.len);
    result.events = page.event_count;
    result.token = page.next_token != nullptr ? page.next_token : "";
    result.encoded = encoder.encoded;
    result.put = encoder.put;
    annals_page_clear(&page);
    return result;
  }

  /* The pages from the first to the last, each with how many events it has. */
  std::vector<std::pair<int, std::string>> All(PageQuery query, bool keeps) {
    std::vector<std::pair<int, std::string>> pages;
    do {
      EncodedPage page = Get(query, keeps);
      pages.emplace_back(page.events, page.text);
      put_ += page.put;
      query.token = page.token;
    } while (!query.token.empty());
    return pages;
  }

  std::vector<std::string> events_;
  int put_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Store, EncodedPageTest, testing::Bool(),
                         [](const auto &info) { return info.param ? "Pending" : "Direct"; });

TEST_P(EncodedPageTest, RunsAreEncodedTwiceAndThenPut) {
  PageQuery query;
  query.max_results = 1000;
  std::string whole = kLead;
  for (const std::string &event : events_) {
    whole += (&event == &events_.front() ? "" : ",") + event;
  }
  for (int turn = 0; turn < 4; turn++) {
    EncodedPage page = Get(query);
    EXPECT_EQ(page.text, whole) << turn;
    EXPECT_EQ(page.events, 230);
    EXPECT_EQ(page.token, "");
    EXPECT_EQ(page.put > 0, turn >= 2);
    EXPECT_EQ(page.encoded < 230, turn >= 2);
  }
}

/* In this order: pages in reverse leave the open run in one piece, which then is kept as well. */
TEST_P(EncodedPageTest, PagesAreTheSameWhateverIsKept) {
  for (bool data : {true, false}) {
    for (bool reverse : {false, true}) {
      for (int size : {1, 7, 50, 99, 100, 101, 200, 229, 230, 1000}) {
        PageQuery query;
        query.max_results = size;
        query.reverse = reverse;
        query.data = data;
        const auto pages = All(query, false);
        put_ = 0;
        for (int turn = 0; turn < 3; turn++) {
          EXPECT_EQ(All(query, true), pages) << size << ", turn " << turn;
        }
        EXPECT_EQ(put_ > 0, data && !reverse && size >= 100) << size;
      }
    }
  }
}

/* What no page has room for but as its only event would be kept for nothing. */
TEST_P(EncodedPageTest, EventsThatArePagesByThemselvesAreEncodedAnew) {
  const std::string arn = std::string(kArn) + "-large";
  ASSERT_TRUE(Append({Started()}, arn).ok);
  ASSERT_TRUE(Append({Entered(2, 0, std::string(8000, 'x'))}, arn).ok);
  SetLimits(6000, 64 << 20);
  PageQuery query;
  query.arn = arn;
  query.max_results = 1000;
  const auto pages = All(query, false);
  put_ = 0;
  for (int turn = 0; turn < 4; turn++) {
    EXPECT_EQ(All(query, true), pages);
  }
  SetLimits(8 << 20, 64 << 20);
  EXPECT_EQ(put_ + Get(query).put + Get(query).put, 0);
  EXPECT_EQ(Get(query).put, 1);
}

TEST_P(EncodedPageTest, PagesEndAtTheSameBytes) {
  PageQuery query;
  query.max_results = 1000;
  const size_t whole = Get(query).text.size();
  Get(query);
  for (size_t limit : {whole / 7, whole / 3, whole / 2, whole + 255, whole + 256, whole + 257}) {
    SetLimits(limit, 64 << 20);
    EXPECT_EQ(All(query, true), All(query, false)) << limit;
  }
  for (size_t scan : {whole / 7, whole / 2, whole}) {
    SetLimits(8 << 20, scan);
    EXPECT_EQ(All(query, true), All(query, false)) << scan;
  }
}

}  // namespace
