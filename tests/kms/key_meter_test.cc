/* What is told of calls of a key provider: in metrics, and in the log. */
#include "server/key_meter.h"

#include <memory>

#include "server/ops/log.h"
#include "tests/kms/key_call.h"

namespace {

/* Ends calls as it is told to, and says its name. */
struct Provider {
  annals_key_provider base;
  annals_key_status status = ANNALS_KEY_OK;
  int ended = 0;

  Provider() {
    static const annals_key_provider_ops ops = {
        [](annals_key_provider *self, annals_key_call *call) { Answer(self, call); },
        [](annals_key_provider *self, annals_key_call *call, GBytes *) { Answer(self, call); },
        [](annals_key_provider *self, annals_key_call *call, GBytes *, const char *) {
          Answer(self, call);
        },
        [](annals_key_provider *self) { reinterpret_cast<Provider *>(self)->ended++; },
        [](annals_key_provider *) {},
    };
    base.ops = &ops;
  }

  static void Answer(annals_key_provider *self, annals_key_call *call) {
    call->status = reinterpret_cast<Provider *>(self)->status;
    call->key_state = call->status == ANNALS_KEY_INVALID_STATE ? "DISABLED" : nullptr;
    call->message = call->status != ANNALS_KEY_OK ? g_strdup("why") : nullptr;
    call->key_arn = call->status == ANNALS_KEY_OK ? g_strdup("arn:key") : nullptr;
    call->wrapped = call->status == ANNALS_KEY_OK ? g_bytes_new("wrapped", 7) : nullptr;
    call->on_done(call);
  }
};

class KeyMeter : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    annals_log_start(ANNALS_LOG_INFO);
  }
  ~KeyMeter() override {
    for (annals_key_provider *meter : {kms_, file_}) {
      meter->ops->free(meter);
    }
    annals_metrics_free(metrics_);
  }

  /* Whether a line of /metrics is there. */
  bool Tells(const std::string &line) {
    GString *text = annals_metrics_text(metrics_);
    std::string all = "\n" + std::string(text->str, text->len);
    g_string_free(text, TRUE);
    return all.find("\n" + line + "\n") != std::string::npos;
  }

  static size_t Count(const std::string &text, const std::string &part) {
    size_t count = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
      count++;
    }
    return count;
  }

  annals_metrics *metrics_ = annals_metrics_new();
  Provider kms_provider_, file_provider_;
  annals_key_provider *kms_ = annals_key_meter_new(&kms_provider_.base, "aws_kms", metrics_);
  annals_key_provider *file_ = annals_key_meter_new(&file_provider_.base, "key_file", metrics_);
};

TEST_F(KeyMeter, HandsOnWhatIsAnswered) {
  KeyCall made, refused;
  made.Generate(kms_).Wait();
  EXPECT_EQ(made.Status(), ANNALS_KEY_OK);
  EXPECT_EQ(made.Arn() + " " + made.Wrapped(), "arn:key wrapped");
  kms_provider_.status = ANNALS_KEY_INVALID_STATE;
  refused.Unwrap(kms_, "wrapped").Wait();
  EXPECT_EQ(refused.Status(), ANNALS_KEY_INVALID_STATE);
  EXPECT_EQ(refused.State() + " " + refused.Message(), "DISABLED why");
  kms_->ops->end(kms_);
  EXPECT_EQ(kms_provider_.ended, 1);
  EXPECT_EQ(file_provider_.ended, 0);
  EXPECT_EQ(annals_key_meter_new(nullptr, "aws_kms", metrics_), nullptr);
}

TEST_F(KeyMeter, CountsForEachProvider) {
  for (annals_key_status status : {ANNALS_KEY_OK, ANNALS_KEY_THROTTLED, ANNALS_KEY_THROTTLED}) {
    kms_provider_.status = status;
    KeyCall call;
    call.Generate(kms_).Wait();
  }
  KeyCall unwrapped, rewrapped;
  unwrapped.Unwrap(file_, "w").Wait();
  rewrapped.Rewrap(file_, "w", nullptr).Wait();
  const std::string calls = "annals_key_calls_total{provider=";
  EXPECT_TRUE(Tells(calls + R"("aws_kms",operation="generate",outcome="ok"} 1)"));
  EXPECT_TRUE(Tells(calls + R"("aws_kms",operation="generate",outcome="throttled"} 2)"));
  EXPECT_TRUE(Tells(calls + R"("aws_kms",operation="unwrap",outcome="ok"} 0)"));
  EXPECT_TRUE(Tells(calls + R"("key_file",operation="generate",outcome="ok"} 0)"));
  EXPECT_TRUE(Tells(calls + R"("key_file",operation="unwrap",outcome="ok"} 1)"));
  EXPECT_TRUE(Tells(calls + R"("key_file",operation="rewrap",outcome="ok"} 1)"));
  const std::string seconds = "annals_key_call_duration_seconds_count{provider=";
  EXPECT_TRUE(Tells(seconds + R"("aws_kms",operation="generate"} 3)"));
  EXPECT_TRUE(Tells(seconds + R"("key_file",operation="unwrap"} 1)"));
}

/* One that is in reach says nothing of another that is not. */
TEST_F(KeyMeter, TellsOnceOfEachThatIsOutOfReach) {
  testing::internal::CaptureStderr();
  auto call = [](annals_key_provider *provider) {
    KeyCall call;
    call.Generate(provider).Wait();
  };
  kms_provider_.status = ANNALS_KEY_UNAVAILABLE;
  for (int i = 0; i < 3; i++) {
    call(kms_);
    call(file_);
  }
  kms_provider_.status = ANNALS_KEY_OK;
  call(kms_);
  call(kms_);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(Count(log, "\n"), 2U) << log;
  EXPECT_EQ(Count(log, R"("level":"warning","message":"the key service is out of reach",)"
                       R"("provider":"aws_kms","detail":"why"})"),
            1U)
      << log;
  EXPECT_EQ(Count(log, R"("level":"info","message":"the key service is in reach again",)"
                       R"("provider":"aws_kms","key":"arn:key"})"),
            1U)
      << log;
}

}  // namespace
