#include "server/ops/metrics.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Info {
  const char *name;
  const char *type;
  const char *unit;
  const char *labels;
  const char *help;
};

const Info infos[] = {
#define ANNALS_METRIC(id, type, unit, name, labels, help) {name, #type, #unit, labels, help},
#include "server/ops/metric.def"
#undef ANNALS_METRIC
};

bool ends_with(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

class Metrics : public testing::Test {
 protected:
  void TearDown() override {
    annals_metrics_free(metrics_);
  }
  std::string text() {
    GString *text = annals_metrics_text(metrics_);
    std::string all(text->str, text->len);
    g_string_free(text, TRUE);
    return all;
  }
  /* What stands in the text of one metric: # HELP, # TYPE and its series. */
  std::string of(const std::string &name) {
    const std::string all = text();
    size_t from = all.find("# HELP " + name + " ");
    if (from == std::string::npos) {
      return "";
    }
    size_t to = all.find("# HELP ", from + 1);
    return all.substr(from, to == std::string::npos ? to : to - from);
  }

  annals_metrics *metrics_ = annals_metrics_new();
};

TEST(MetricTable, NamesFollowPrometheusConventions) {
  for (const Info &info : infos) {
    std::string name = info.name;
    EXPECT_TRUE(name.rfind("annals_", 0) == 0 || name.rfind("process_", 0) == 0) << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << name;
    EXPECT_EQ(strcmp(info.type, "COUNTER") == 0, ends_with(name, "_total")) << name;
    if (ends_with(name, "_total")) {
      name.resize(name.size() - strlen("_total"));
    }
    EXPECT_EQ(strcmp(info.unit, "SECONDS") == 0, ends_with(name, "_seconds")) << name;
    EXPECT_EQ(strcmp(info.unit, "BYTES") == 0, ends_with(name, "_bytes")) << name;
    EXPECT_TRUE(ends_with(info.help, ".")) << info.help;
  }
}

TEST_F(Metrics, CountersAddUpAndGaugesGoBothWays) {
  const char *const call[] = {"grpc", "GetExecutionHistory", "OK", "OK"};
  const char *const other[] = {"grpc", "GetExecutionHistory", "INTERNAL", "INTERNAL"};
  annals_series *series = annals_metrics_series(metrics_, ANNALS_METRIC_CALLS, call);
  annals_series_add(series, 2);
  annals_series_add(annals_metrics_series(metrics_, ANNALS_METRIC_CALLS, call), 1);
  (void)annals_metrics_series(metrics_, ANNALS_METRIC_CALLS, other);
  EXPECT_EQ(of("annals_calls_total"),
            "# HELP annals_calls_total Calls that have ended, by gRPC code or HTTP status, and by "
            "reason.\n"
            "# TYPE annals_calls_total counter\n"
            "annals_calls_total{transport=\"grpc\",method=\"GetExecutionHistory\",code=\"OK\","
            "reason=\"OK\"} 3\n"
            "annals_calls_total{transport=\"grpc\",method=\"GetExecutionHistory\","
            "code=\"INTERNAL\",reason=\"INTERNAL\"} 0\n");
  annals_series *gauge =
      annals_metrics_series(metrics_, ANNALS_METRIC_GRPC_CALLS, (const char *const[]){"call"});
  annals_series_add(gauge, 3);
  annals_series_add(gauge, -5);
  EXPECT_TRUE(ends_with(of("annals_grpc_counted_calls"),
                        "gauge\nannals_grpc_counted_calls{kind=\"call\"} -2\n"));
}

TEST_F(Metrics, TimesComeOutInSeconds) {
  const struct {
    int64_t us;
    const char *text;
  } cases[] = {{0, "0"},
               {1, "0.000001"},
               {100, "0.0001"},
               {1500000, "1.5"},
               {60000000, "60"},
               {-2500000, "-2.5"},
               {100000000000, "100000"},
               {-1, "-0.000001"},
               {INT64_MAX, "9223372036854.775807"}};
  for (const auto &one : cases) {
    annals_metrics_set(metrics_, ANNALS_METRIC_CERTIFICATE_EXPIRY, nullptr, one.us);
    EXPECT_TRUE(ends_with(
        of("annals_certificate_expiry_timestamp_seconds"),
        std::string("gauge\nannals_certificate_expiry_timestamp_seconds ") + one.text + "\n"))
        << one.text;
  }
}

TEST_F(Metrics, HistogramsAreCumulated) {
  annals_series *series =
      annals_metrics_series(metrics_, ANNALS_METRIC_STORE_COMMIT_WRITES, nullptr);
  for (int64_t value : {0, 1, 2, 3, 4096, 5000}) {
    annals_series_observe(series, value);
  }
  std::string expected =
      "# HELP annals_store_commit_writes Appends and deletions in one group.\n"
      "# TYPE annals_store_commit_writes histogram\n";
  const std::string bucket = "annals_store_commit_writes_bucket{le=\"";
  expected += bucket + "1\"} 2\n" + bucket + "2\"} 3\n";
  for (int bound = 4; bound <= 2048; bound *= 2) {
    expected += bucket + std::to_string(bound) + "\"} 4\n";
  }
  expected += bucket + "4096\"} 5\n" + bucket +
              "+Inf\"} 6\n"
              "annals_store_commit_writes_sum 9102\nannals_store_commit_writes_count 6\n";
  EXPECT_EQ(of("annals_store_commit_writes"), expected);
}

TEST_F(Metrics, HistogramsOfTimesHaveLabelsAndBoundsInSeconds) {
  const char *const labels[] = {"aws_json", "ListExecutions"};
  annals_series_observe(annals_metrics_series(metrics_, ANNALS_METRIC_CALL_SECONDS, labels), 250);
  const std::string all = of("annals_call_duration_seconds");
  const std::string series = "{transport=\"aws_json\",method=\"ListExecutions\"";
  for (const std::string &line : std::vector<std::string>{
           "_bucket" + series + ",le=\"0.0001\"} 0\n", "_bucket" + series + ",le=\"0.00025\"} 1\n",
           "_bucket" + series + ",le=\"30\"} 1\n", "_bucket" + series + ",le=\"+Inf\"} 1\n",
           "_sum" + series + "} 0.00025\n", "_count" + series + "} 1\n"}) {
    EXPECT_NE(all.find("annals_call_duration_seconds" + line), std::string::npos) << line;
  }
}

TEST_F(Metrics, ValuesOfLabelsAreEscaped) {
  const char *const labels[] = {"a\"b\\c\nd", "e"};
  annals_metrics_set(metrics_, ANNALS_METRIC_BUILD_INFO, labels, 1);
  EXPECT_TRUE(ends_with(of("annals_build_info"),
                        "annals_build_info{version=\"a\\\"b\\\\c\\nd\",compiler=\"e\"} 1\n"));
}

TEST_F(Metrics, WhatHasNoLabelsStandsAtZeroAndTheRestIsAbsent) {
  for (const Info &info : infos) {
    bool there = strcmp(info.type, "GAUGE") != 0 && *info.labels == '\0';
    EXPECT_EQ(of(info.name) != "", there) << info.name;
  }
}

TEST_F(Metrics, NothingIsMeasuredWithoutARegistry) {
  annals_series *series = annals_metrics_series(nullptr, ANNALS_METRIC_READY, nullptr);
  EXPECT_EQ(series, nullptr);
  annals_series_add(series, 1);
  annals_series_set(series, 1);
  annals_series_observe(series, 1);
  annals_metrics_set(nullptr, ANNALS_METRIC_READY, nullptr, 1);
  annals_metrics_add_source(nullptr, nullptr, nullptr);
  annals_metrics_remove_source(nullptr, nullptr);
  annals_metrics_free(nullptr);
}

struct Source {
  annals_metrics *metrics;
  int64_t value;
};

void sample(void *context) {
  auto *source = static_cast<Source *>(context);
  annals_metrics_set(source->metrics, ANNALS_METRIC_READY, nullptr, source->value++);
}

TEST_F(Metrics, SourcesAreAskedEachTimeUntilTheyAreRemoved) {
  Source source = {metrics_, 5};
  annals_metrics_add_source(metrics_, sample, &source);
  EXPECT_TRUE(ends_with(of("annals_ready"), "\nannals_ready 5\n"));
  EXPECT_TRUE(ends_with(of("annals_ready"), "\nannals_ready 6\n"));
  annals_metrics_remove_source(metrics_, &source);
  EXPECT_TRUE(ends_with(of("annals_ready"), "\nannals_ready 6\n"));
}

TEST_F(Metrics, ThreadsLoseNothing) {
  enum { THREADS = 4, ROUNDS = 10000 };
  std::vector<std::thread> threads;
  for (int i = 0; i < THREADS; i++) {
    threads.emplace_back([this] {
      const char *const labels[] = {"grpc", "AppendHistoryEvents"};
      annals_series *counter =
          annals_metrics_series(metrics_, ANNALS_METRIC_EVENTS_APPENDED, labels);
      annals_series *histogram =
          annals_metrics_series(metrics_, ANNALS_METRIC_CALL_SECONDS, labels);
      for (int round = 0; round < ROUNDS; round++) {
        annals_series_add(counter, 2);
        annals_series_observe(histogram, round % 1000);
      }
      (void)text();
    });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(ends_with(of("annals_events_appended_total"), "\"} 80000\n"));
  EXPECT_TRUE(ends_with(of("annals_call_duration_seconds"), "\"} 40000\n"));
}

}  // namespace
