/* Pages from what was made of runs for other pages: whatever was kept, each page is the same as
 * without, and what was decrypted is for those who have the key. */
#include <algorithm>
#include <functional>
#include <future>
#include <map>
#include <tuple>

#include "tests/history/encryption_fixture.h"

namespace annals_test {
namespace {

const char kLead[] = "events:";

struct Encoder {
  std::promise<void> done;
  int encoded = 0; /* events */
  size_t held = 0; /* the length of the events that was told last */
  std::function<void()> on_event;
};

/* Without execution data, what is long of an event is left out. */
bool Encode(const annals_page *page, const annals_frame *frame, annals_buffer *out) {
  auto *encoder = static_cast<Encoder *>(page->owner);
  encoder->encoded++;
  if (encoder->on_event) {
    encoder->on_event();
  }
  const size_t size = page->request.include_execution_data ? frame->event_size : 4;
  annals_buffer_append(out, frame->event, size);
  return !out->failed;
}

bool Hold(annals_page *page) {
  static_cast<Encoder *>(page->owner)->held = page->events.len;
  return true;
}

const annals_page_format kJson = {ANNALS_PAGE_JSON, Encode, kLead, ","};
const annals_page_format kWire = {ANNALS_PAGE_WIRE, nullptr, nullptr, nullptr};
const annals_page_format kWireWithoutData = {ANNALS_PAGE_WIRE, Encode, nullptr, nullptr};

struct FormedPage {
  std::string reason; /* of the failure */
  std::string text;
  int events = 0;
  std::string token;
  int encoded = 0;
  size_t parts = 0;
};

/* The text of a page, its parts in their places. */
std::string TextOf(const annals_page &page) {
  const std::string events(reinterpret_cast<const char *>(page.events.data), page.events.len);
  std::string text;
  size_t at = 0;
  for (guint i = 0; page.parts != nullptr && i < page.parts->len; i++) {
    const annals_page_part &part = g_array_index(page.parts, annals_page_part, i);
    text += events.substr(at, part.before - at);
    at = part.before;
    text.append(reinterpret_cast<const char *>(part.form->bytes) + part.start, part.size);
  }
  return text + events.substr(at);
}

/* json, shares */
using Kind = std::tuple<bool, bool>;

class PageFormsTest : public EncryptionTest {
 protected:
  void Reopen(size_t cache_bytes) {
    Close();
    cache_bytes_ = cache_bytes;
    Open();
    annals_faulty_store_set_pending(store_, pending_);
  }

  FormedPage Get(const PageQuery &query, const Kind &kind) {
    const auto [json, shares] = kind;
    Encoder encoder;
    encoder.on_event = on_event_;
    annals_page page = {};
    page.owner = &encoder;
    page.on_done = [](annals_page *it) { static_cast<Encoder *>(it->owner)->done.set_value(); };
    page.format = json ? &kJson : query.data ? &kWire : &kWireWithoutData;
    page.shares = shares;
    page.hold = Hold;
    page.request = RequestOf(query);
    if (annals_page_get(history_, &page) == ANNALS_PENDING) {
      encoder.done.get_future().wait();
    }
    FormedPage result;
    if (page.error != nullptr) {
      result.reason = annals_reason_info(annals_error_reason(page.error))->name;
    }
    result.text = TextOf(page);
    result.events = page.event_count;
    result.token = page.next_token != nullptr ? page.next_token : "";
    result.encoded = encoder.encoded;
    result.parts = page.parts != nullptr ? page.parts->len : 0;
    if (json && page.event_count > 0) {
      EXPECT_GE(encoder.held, page.events.len) << "what has grown is told";
    }
    annals_page_clear(&page);
    return result;
  }

  FormedPage GetJson(const PageQuery &query) {
    return Get(query, {true, false});
  }

  /* The pages from the first to the last, each with how many events it has. */
  std::vector<std::pair<int, std::string>> Pages(PageQuery query, const Kind &kind) {
    std::vector<std::pair<int, std::string>> pages;
    do {
      FormedPage page = Get(query, kind);
      EXPECT_EQ(page.reason, "");
      pages.emplace_back(page.events, page.text);
      encoded_ += page.encoded;
      parts_ += page.parts;
      query.token = page.token;
    } while (!query.token.empty());
    return pages;
  }

  /* Two sealed runs, and an open one in pieces. */
  void AppendRuns(const FirstAppend &first) {
    events_ = Chain(230, "{\"input\":\"" + std::string(100, 'x') + "\"}");
    ASSERT_TRUE(Append({events_.begin(), events_.begin() + 205}, kArn, first).ok);
    for (auto it = events_.begin() + 205; it != events_.end(); ++it) {
      ASSERT_TRUE(Append({*it}).ok);
    }
  }

  /* Whatever the order, the data, the page's size and what was asked for before. */
  void ExpectTheSamePages() {
    std::map<std::tuple<bool, bool, bool, int>, std::vector<std::pair<int, std::string>>> expected;
    Reopen(1);
    ForEachQuery([&](const PageQuery &query, bool json) {
      expected[{json, query.data, query.reverse, query.max_results}] = Pages(query, {json, false});
    });
    EXPECT_EQ(parts_, 0U) << "nothing was kept";
    Reopen(0);
    for (int turn = 0; turn < 3; turn++) {
      ForEachQuery([&](const PageQuery &query, bool json) {
        encoded_ = 0;
        for (bool shares : {false, true}) {
          EXPECT_EQ(Pages(query, {json, shares && !json}),
                    (expected[{json, query.data, query.reverse, query.max_results}]))
              << query.max_results << ", turn " << turn;
        }
        EXPECT_TRUE(turn == 0 || encoded_ == 0) << query.max_results;
      });
    }
    EXPECT_GT(parts_, 0U);
  }

  template <typename F>
  void ForEachQuery(F f) {
    for (bool json : {false, true}) {
      for (bool data : {true, false}) {
        for (bool reverse : {false, true}) {
          for (int size : {3, 99, 100, 101, 229, 1000}) {
            PageQuery query;
            query.max_results = size;
            query.reverse = reverse;
            query.data = data;
            f(query, json);
          }
        }
      }
    }
  }

  bool pending_ = false;
  std::function<void()> on_event_; /* that is encoded */
  std::vector<std::string> events_;
  int encoded_ = 0;
  size_t parts_ = 0;
};

TEST_F(PageFormsTest, TheSecondPageMakesThemForAllThatCome) {
  AppendRuns({});
  PageQuery query;
  query.max_results = 1000;
  std::string whole = kLead;
  for (const std::string &event : events_) {
    whole += (&event == &events_.front() ? "" : ",") + event;
  }
  for (int turn = 0; turn < 4; turn++) {
    FormedPage page = GetJson(query);
    EXPECT_EQ(page.text, whole) << turn;
    EXPECT_EQ(page.events, 230);
    EXPECT_EQ(page.token, "");
    EXPECT_EQ(page.encoded, turn < 2 ? 230 : 0);
  }
}

TEST_F(PageFormsTest, ServePagesThatBeginAndEndInRuns) {
  AppendRuns({});
  PageQuery query;
  query.max_results = 30;
  query.reverse = true;
  for (int turn = 0; turn < 3; turn++) {
    FormedPage page = GetJson(query);
    EXPECT_EQ(page.events, 30);
    EXPECT_TRUE(turn < 2 || page.encoded == 0);
  }
  FormedPage other = GetJson(query);
  query.token = other.token;
  query.max_results = 1;
  for (int id = 200; id > 190; id--) {
    FormedPage page = GetJson(query);
    EXPECT_EQ(page.text, kLead + events_[id - 1]);
    EXPECT_EQ(page.encoded, 0);
    query.token = page.token;
  }
}

TEST_F(PageFormsTest, ShareWhatIsLong) {
  AppendRuns({});
  for (bool reverse : {false, true}) {
    PageQuery query;
    query.max_results = 90;
    query.reverse = reverse;
    for (int turn = 0; turn < 3; turn++) {
      Get(query, {false, true});
    }
    EXPECT_GE(Get(query, {false, true}).parts, 1U) << reverse;
    query.max_results = 10;
    EXPECT_EQ(Get(query, {false, true}).parts, 0U) << "it is short";
  }
}

/* An answer that nobody takes has no more in memory than twice what it is counted for. */
TEST_F(PageFormsTest, ShareNoSmallPartOfWhatIsLarge) {
  AppendRuns({});
  PageQuery query;
  for (int size : {60, 40}) {
    query.max_results = size;
    Get(query, {false, true});
    FormedPage page = Get(query, {false, true});
    EXPECT_EQ(page.parts, size == 60 ? 1U : 0U);
    EXPECT_GT(page.text.size(), 5000U);
  }
}

/* It reads its run again for the start time, which is not another page. */
TEST_F(PageFormsTest, OnePageMakesNoForm) {
  AppendRuns({});
  PageQuery query;
  query.max_results = 1;
  query.reverse = true;
  EXPECT_EQ(GetJson(query).encoded, 2);
  EXPECT_EQ(GetJson(query).encoded, 30);
  EXPECT_EQ(GetJson(query).encoded, 0);
}

TEST_F(PageFormsTest, PagesAreTheSame) {
  AppendRuns({});
  ExpectTheSamePages();
}

TEST_F(PageFormsTest, PagesAreTheSameWhereTheStoreIsSlow) {
  pending_ = true;
  AppendRuns({});
  ExpectTheSamePages();
}

TEST_F(PageFormsTest, PagesAreTheSameWhereTheyAreEncrypted) {
  AppendRuns(Encrypted());
  ExpectTheSamePages();
  EXPECT_EQ(script_.calls().size(), 1U) << "the key was in memory all the time";
}

/* What no page has room for but as its only event would be kept for nothing. */
TEST_F(PageFormsTest, EventsThatArePagesByThemselvesAreEncodedAnew) {
  const std::string arn = std::string(kArn) + "-large";
  ASSERT_TRUE(Append({Started()}, arn).ok);
  ASSERT_TRUE(Append({Entered(2, 0, std::string(8000, 'x'))}, arn).ok);
  SetLimits(6000, 64 << 20);
  PageQuery query;
  query.arn = arn;
  query.max_results = 1000;
  const auto pages = Pages(query, {true, false});
  ASSERT_EQ(pages.size(), 2U);
  for (int turn = 0; turn < 4; turn++) {
    encoded_ = 0;
    EXPECT_EQ(Pages(query, {true, false}), pages);
    EXPECT_GE(encoded_, 1);
  }
  Reopen(0);
  SetLimits(8 << 20, 64 << 20);
  for (int turn = 0; turn < 3; turn++) { /* from the disk, from memory, and to be kept */
    EXPECT_EQ(GetJson(query).encoded, 2);
  }
  EXPECT_EQ(GetJson(query).encoded, 0);
}

/* All of a run is not encoded for each page of one event, where it does not come to a form. */
TEST_F(PageFormsTest, WhatCannotBeMadeIsTriedOnce) {
  ASSERT_TRUE(Append(Chain(20, "{\"input\":\"" + std::string(1000, 'x') + "\"}")).ok);
  SetLimits(6000, 64 << 20);
  PageQuery query;
  query.max_results = 1;
  EXPECT_EQ(GetJson(query).encoded, 1);
  EXPECT_GT(GetJson(query).encoded, 1);
  EXPECT_EQ(GetJson(query).encoded, 1);
  EXPECT_EQ(GetJson(query).encoded, 1);
}

TEST_F(PageFormsTest, PagesEndAtTheSameBytes) {
  AppendRuns({});
  PageQuery query;
  query.max_results = 1000;
  const size_t whole = GetJson(query).text.size();
  using Limits = std::pair<size_t, size_t>;
  std::vector<Limits> limits;
  for (size_t limit : {whole / 7, whole / 3, whole / 2, whole + 255, whole + 256, whole + 257}) {
    limits.emplace_back(limit, 64 << 20);
  }
  for (size_t scan : {whole / 7, whole / 2, whole}) {
    limits.emplace_back(8 << 20, scan);
  }
  for (const Limits &limit : limits) {
    std::map<Kind, std::vector<std::pair<int, std::string>>> expected;
    for (int turn = 0; turn < 4; turn++) {
      if (turn < 2) {
        Reopen(turn == 0 ? 1 : 0); /* nothing is kept, and then all that can be */
        SetLimits(limit.first, limit.second);
      }
      for (bool reverse : {false, true}) {
        query.reverse = reverse;
        for (const Kind &kind : {Kind{true, reverse}, Kind{false, reverse}}) {
          const auto pages = Pages(query, {std::get<0>(kind), false});
          if (turn == 0) {
            expected[kind] = pages;
          }
          EXPECT_EQ(pages, expected[kind]) << limit.first << " " << limit.second;
          if (!std::get<0>(kind)) {
            EXPECT_EQ(Pages(query, {false, true}), pages);
          }
        }
      }
    }
  }
}

/* Who has no key has no page, whatever is kept. */
TEST_F(PageFormsTest, WhatWasDecryptedIsForThoseWhoHaveTheKey) {
  AppendRuns(Encrypted());
  PageQuery query;
  query.max_results = 1000;
  std::string whole = kLead;
  for (const std::string &event : Canonicals(events_)) {
    whole += (whole == kLead ? "" : ",") + event;
  }
  for (int turn = 0; turn < 3; turn++) {
    FormedPage page = GetJson(query);
    EXPECT_EQ(page.text, whole);
    EXPECT_EQ(page.encoded, turn < 2 ? 230 : 0);
  }
  script_.Say(ANNALS_KEY_INVALID_STATE, "DISABLED");
  EXPECT_EQ(GetJson(query).encoded, 0) << "the key's period goes on";
  Pass(61);
  EXPECT_EQ(GetJson(query).reason, "KMS_INVALID_STATE");
  PageQuery stripped = query;
  stripped.data = false;
  EXPECT_EQ(GetJson(stripped).reason, "");
  script_.Say(ANNALS_KEY_OK);
  EXPECT_EQ(GetJson(query).text, whole);
}

TEST_F(PageFormsTest, WhatIsDecryptedWhileItsKeyIsForgottenIsNotKept) {
  AppendRuns(Encrypted());
  PageQuery query;
  query.max_results = 1000;
  EXPECT_EQ(GetJson(query).encoded, 230);
  on_event_ = [this] { annals_data_keys_forget(keys_, kArn); };
  EXPECT_EQ(GetJson(query).encoded, 230);
  on_event_ = nullptr;
  EXPECT_EQ(GetJson(query).encoded, 230);
  EXPECT_EQ(GetJson(query).encoded, 0);
}

TEST_F(PageFormsTest, WhatWasDecryptedGoesWithTheDestroyedKeys) {
  AppendRuns(Encrypted());
  PageQuery query;
  for (int turn = 0; turn < 3; turn++) {
    EXPECT_EQ(GetJson(query).reason, "");
  }
  EXPECT_TRUE(Rekey(history_, true).ok);
  EXPECT_EQ(GetJson(query).reason, "KMS_INVALID_STATE");
}

}  // namespace
}  // namespace annals_test
