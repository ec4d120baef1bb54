#include "tests/history/history_test_support.h"

#include <glib/gstdio.h>

#include <future>

namespace annals_test {

const char kArn[] = "arn:aws:states:us-east-1:123456789012:execution:machine:name";
const char kStateMachine[] = "arn:aws:states:us-east-1:123456789012:stateMachine:machine";

namespace {

int64_t Now(void *context) {
  return *static_cast<int64_t *>(context);
}

std::string TimestampOrNone(int64_t seconds) {
  return seconds != 0 ? Timestamp(seconds, 0) : "";
}

void Take(const GError *error, Outcome *outcome) {
  outcome->ok = error == nullptr;
  if (error == nullptr) {
    return;
  }
  outcome->reason = annals_reason_info(annals_error_reason(error))->name;
  outcome->message = error->message;
  const GPtrArray *metadata = annals_error_metadata(error);
  for (guint i = 0; i + 1 < metadata->len; i += 2) {
    outcome->metadata[static_cast<char *>(metadata->pdata[i])] =
        static_cast<char *>(metadata->pdata[i + 1]);
  }
  const GPtrArray *violations = annals_error_violations(error);
  for (guint i = 0; i < violations->len; i++) {
    auto *violation = static_cast<annals_violation *>(violations->pdata[i]);
    outcome->violations.push_back(std::string(violation->field) + "=" +
                                  (violation->value != nullptr ? violation->value : "null") + ": " +
                                  violation->constraint);
  }
}

bool EncodeWithoutData(const annals_page *page, const annals_frame *frame, annals_buffer *out) {
  size_t start = out->len;
  bool ok = annals_execution_data_strip(annals_history_options(page->history)->schema, frame->event,
                                        frame->event_size, out);
  annals_wire_wrap(out, start, 1);
  return ok;
}

const annals_page_format kWithData = {};
const annals_page_format kWithoutData = {ANNALS_PAGE_WIRE, EncodeWithoutData, nullptr, nullptr};

const char *OrNull(const std::optional<std::string> &text) {
  return text.has_value() ? text->c_str() : nullptr;
}

void Add(Members *members, const std::string &name, const char *value) {
  if (value != nullptr && *value != '\0') {
    (*members)[name] = value;
  }
}

void AddTime(Members *members, const std::string &name, int64_t seconds, int32_t nanos) {
  (*members)[name] = std::to_string(seconds) + "." + std::to_string(nanos);
}

Members MembersOf(const annals_execution &it) {
  Members members = {{"status", annals_enum_name(&annals_enum_execution_status, it.status)},
                     {"redrive_count", std::to_string(it.redrive_count)}};
  AddTime(&members, "start", it.start_seconds, it.start_nanos);
  if (it.stopped) {
    AddTime(&members, "stop", it.stop_seconds, it.stop_nanos);
  }
  if (it.redrive_count > 0) {
    AddTime(&members, "redrive", it.redrive_seconds, it.redrive_nanos);
  }
  if (it.item_count > 0) {
    members["item_count"] = std::to_string(it.item_count);
  }
  Add(&members, "state_machine", it.state_machine_arn);
  Add(&members, "version", it.state_machine_version_arn);
  Add(&members, "alias", it.state_machine_alias_arn);
  Add(&members, "map_run", it.map_run_arn);
  Add(&members, "trace_header", it.trace_header);
  Add(&members, "kms_key_id", it.kms_key_id);
  return members;
}

struct Listing {
  std::promise<void> done;
  Listed listed;
};

bool EncodeExecution(annals_list *list, const char *arn, const annals_execution *execution) {
  Listed *listed = &static_cast<Listing *>(list->owner)->listed;
  EXPECT_EQ(static_cast<size_t>(list->execution_count), listed->arns.size());
  listed->arns.push_back(arn);
  listed->members.push_back(MembersOf(*execution));
  annals_buffer_append_text(&list->executions, arn);
  return !list->executions.failed;
}

}  // namespace

HistoryTest::HistoryTest() {
  char *dir = g_dir_make_tmp("annals-history-XXXXXX", nullptr);
  dir_ = dir;
  g_free(dir);
  std::string key_path = dir_ + "/key";
  key_ = annals_token_key_load_or_create(key_path.c_str(), nullptr);
  options_.schema = schema_.get();
  options_.token_key = key_;
  options_.page_token_ttl_s = 86400;
  options_.now_us = Now;
  options_.now_context = &now_us_;
  Open();
}

HistoryTest::~HistoryTest() {
  Close();
  annals_token_key_free(key_);
  std::string remove = "rm -rf " + dir_;
  EXPECT_EQ(system(remove.c_str()), 0);
}

void HistoryTest::Open() {
  std::string path = dir_ + "/rocksdb";
  annals_rocksdb_options rocksdb = {};
  rocksdb.path = path.c_str();
  rocksdb.tuning.cache_bytes = cache_bytes_;
  annals_store *inner = nullptr;
  GError *error = nullptr;
  ASSERT_TRUE(annals_rocksdb_open(&rocksdb, &inner, &error)) << error->message;
  store_ = annals_faulty_store_new(inner);
  options_.store = store_;
  history_ = annals_history_new(&options_);
}

void HistoryTest::Close() {
  annals_history_free(history_);
  history_ = nullptr;
  if (store_ != nullptr) {
    store_->ops->close(store_);
    store_ = nullptr;
  }
}

void HistoryTest::Reopen() {
  Close();
  Open();
}

void HistoryTest::SetLimits(size_t page_bytes_max, size_t page_scan_bytes_max) {
  annals_history_free(history_);
  options_.page_bytes_max = page_bytes_max;
  options_.page_scan_bytes_max = page_scan_bytes_max;
  history_ = annals_history_new(&options_);
}

Appended HistoryTest::Append(const std::vector<std::string> &events, const std::string &arn,
                             const FirstAppend &first) {
  std::vector<annals_event_bytes> views;
  for (const std::string &event : events) {
    views.push_back({reinterpret_cast<const uint8_t *>(event.data()), event.size()});
  }
  std::promise<void> done;
  annals_append append = {};
  append.owner = &done;
  append.cancel = cancel_;
  append.on_done = [](annals_append *it) {
    static_cast<std::promise<void> *>(it->owner)->set_value();
  };
  append.request.principal = principal_;
  append.request.execution_arn = arn.c_str();
  append.request.events = views.data();
  append.request.event_count = views.size();
  append.request.state_machine_arn = first.state_machine_arn.c_str();
  append.request.map_run_arn = first.map_run_arn.c_str();
  append.request.item_count = first.item_count;
  append.request.trace_header = first.trace_header.c_str();
  append.request.encryption.given = first.encryption_type >= 0;
  append.request.encryption.type = first.encryption_type;
  append.request.encryption.kms_key_id = first.kms_key_id.c_str();
  append.request.encryption.reuse_seconds = first.reuse_seconds;
  if (annals_append_run(history_, &append) == ANNALS_PENDING) {
    done.get_future().wait();
  }
  Appended result;
  Take(append.error, &result);
  result.last_event_id = append.last_event_id;
  result.appended = append.appended_count;
  result.already_stored = append.already_stored_count;
  result.adjusted = append.adjusted_timestamp_count;
  annals_append_clear(&append);
  return result;
}

annals_page_request HistoryTest::RequestOf(const PageQuery &query) const {
  annals_page_request request = {};
  request.principal = principal_;
  request.execution_arn = query.arn.c_str();
  request.max_results = query.max_results;
  request.next_token = query.token.empty() ? nullptr : query.token.c_str();
  request.reverse_order = query.reverse;
  request.include_execution_data = query.data;
  return request;
}

Paged HistoryTest::Page(const PageQuery &query) {
  std::promise<void> done;
  annals_page page = {};
  page.owner = &done;
  page.cancel = cancel_;
  page.on_done = [](annals_page *it) { static_cast<std::promise<void> *>(it->owner)->set_value(); };
  page.format = query.data ? &kWithData : &kWithoutData;
  page.request = RequestOf(query);
  if (annals_page_get(history_, &page) == ANNALS_PENDING) {
    done.get_future().wait();
  }
  Paged result;
  Take(page.error, &result);
  size_t offset = 0;
  annals_frame frame;
  while (annals_frame_next(page.events.data, page.events.len, &offset, &frame)) {
    result.events.emplace_back(reinterpret_cast<const char *>(frame.event), frame.event_size);
  }
  EXPECT_EQ(offset, page.events.len);
  EXPECT_EQ(result.events.size(), static_cast<size_t>(page.event_count));
  result.bytes.assign(reinterpret_cast<const char *>(page.events.data), page.events.len);
  result.token = page.next_token != nullptr ? page.next_token : "";
  annals_page_clear(&page);
  return result;
}

std::vector<std::string> HistoryTest::All(PageQuery query) {
  std::vector<std::string> events;
  do {
    Paged page = Page(query);
    EXPECT_TRUE(page.ok) << page.reason << ": " << page.message;
    EXPECT_TRUE(page.token.empty() || !page.events.empty());
    events.insert(events.end(), page.events.begin(), page.events.end());
    query.token = page.token;
  } while (!query.token.empty());
  return events;
}

Described HistoryTest::Describe(const DescribeQuery &query) {
  std::promise<void> done;
  annals_describe describe = {};
  describe.owner = &done;
  describe.on_done = [](annals_describe *it) {
    static_cast<std::promise<void> *>(it->owner)->set_value();
  };
  describe.cancel = cancel_;
  describe.request.principal = principal_;
  describe.request.execution_arn = OrNull(query.arn);
  describe.request.included_data = OrNull(query.included_data);
  if (annals_describe_run(history_, &describe) == ANNALS_PENDING) {
    done.get_future().wait();
  }
  Described result;
  Take(describe.error, &result);
  if (result.ok) {
    result.members = MembersOf(describe.execution);
    Add(&result.members, "name", describe.name);
    Add(&result.members, "input", describe.input);
    Add(&result.members, "output", describe.output);
    Add(&result.members, "error", describe.failure_error);
    Add(&result.members, "cause", describe.failure_cause);
    const char *const redrive_statuses[] = {nullptr, "REDRIVABLE", "NOT_REDRIVABLE",
                                            "REDRIVABLE_BY_MAP_RUN"};
    Add(&result.members, "redrive_status", redrive_statuses[describe.redrive_status]);
    Add(&result.members, "redrive_status_reason", describe.redrive_status_reason);
  }
  annals_describe_clear(&describe);
  return result;
}

Listed HistoryTest::List(const ListQuery &query) {
  Listing listing;
  annals_list list = {};
  list.owner = &listing;
  list.on_done = [](annals_list *it) { static_cast<Listing *>(it->owner)->done.set_value(); };
  list.encode = EncodeExecution;
  list.cancel = cancel_;
  list.request.principal = principal_;
  list.request.state_machine_arn = OrNull(query.state_machine);
  list.request.map_run_arn = OrNull(query.map_run);
  list.request.status_filter = OrNull(query.status);
  list.request.redrive_filter = OrNull(query.redrive);
  list.request.max_results = query.max_results;
  list.request.next_token = OrNull(query.token);
  if (annals_list_run(history_, &list) == ANNALS_PENDING) {
    listing.done.get_future().wait();
  }
  Listed result = listing.listed;
  Take(list.error, &result);
  /* The one that was over the page's bytes was encoded, and taken back. */
  result.arns.resize(static_cast<size_t>(list.execution_count));
  result.members.resize(static_cast<size_t>(list.execution_count));
  result.bytes = list.executions.len;
  result.token = list.next_token != nullptr ? list.next_token : "";
  annals_list_clear(&list);
  return result;
}

std::vector<std::string> HistoryTest::ListAll(ListQuery query) {
  std::vector<std::string> arns;
  do {
    Listed page = List(query);
    EXPECT_TRUE(page.ok) << page.reason << ": " << page.message;
    EXPECT_TRUE(page.token.empty() || !page.arns.empty());
    arns.insert(arns.end(), page.arns.begin(), page.arns.end());
    query.token = page.token;
  } while (!query.token->empty());
  return arns;
}

Outcome HistoryTest::Delete(const std::optional<std::string> &arn) {
  std::promise<void> done;
  annals_delete deletion = {};
  deletion.owner = &done;
  deletion.on_done = [](annals_delete *it) {
    static_cast<std::promise<void> *>(it->owner)->set_value();
  };
  deletion.cancel = cancel_;
  deletion.request.principal = principal_;
  deletion.request.execution_arn = OrNull(arn);
  if (annals_delete_run(history_, &deletion) == ANNALS_PENDING) {
    done.get_future().wait();
  }
  Outcome result;
  Take(deletion.error, &result);
  annals_delete_clear(&deletion);
  return result;
}

std::string Started(int64_t seconds) {
  return TimestampOrNone(seconds) + Int(kEventType, kExecutionStarted) + Int(kEventId, 1);
}

std::string Entered(int64_t id, int64_t seconds, const std::string &input) {
  return TimestampOrNone(seconds) + Int(kEventType, kPassStateEntered) + Int(kEventId, id) +
         Int(kEventPreviousId, id - 1) +
         Bytes(kStateEnteredDetails, Bytes(1, "S") + Bytes(2, input));
}

std::string Succeeded(int64_t id, int64_t seconds) {
  return TimestampOrNone(seconds) + Int(kEventType, 12) + Int(kEventId, id) +
         Int(kEventPreviousId, id - 1) + Bytes(32, Bytes(1, "{}"));
}

std::string Typed(int type, int64_t id, const std::string &details) {
  return Timestamp(100 + id, 0) + Int(kEventType, type) + Int(kEventId, id) +
         Int(kEventPreviousId, id - 1) + details;
}

std::vector<std::string> Chain(int count, const std::string &input) {
  std::vector<std::string> events = {Started()};
  for (int id = 2; id <= count; id++) {
    events.push_back(Entered(id, 100 + id, input));
  }
  return events;
}

}  // namespace annals_test
