#include "server/kms/key_router.h"

#include <vector>

#include "tests/kms/key_call.h"

namespace {

/* Says its name. */
struct Named {
  annals_key_provider base;
  std::string name;
  bool *is_freed;

  static annals_key_provider *Make(const std::string &name, bool *is_freed) {
    static const annals_key_provider_ops ops = {
        [](annals_key_provider *self, annals_key_call *call) { Say(self, call, "generate"); },
        [](annals_key_provider *self, annals_key_call *call, GBytes *) {
          Say(self, call, "unwrap");
        },
        [](annals_key_provider *self, annals_key_call *call, GBytes *, const char *) {
          Say(self, call, "rewrap");
        },
        [](annals_key_provider *self) { reinterpret_cast<Named *>(self)->name += " (ended)"; },
        [](annals_key_provider *self) {
          auto *named = reinterpret_cast<Named *>(self);
          *named->is_freed = true;
          delete named;
        }};
    auto *named = new Named;
    named->base.ops = &ops;
    named->name = name;
    named->is_freed = is_freed;
    return &named->base;
  }

  static void Say(annals_key_provider *self, annals_key_call *call, const char *what) {
    call->status = ANNALS_KEY_OK;
    call->key_arn = g_strdup((reinterpret_cast<Named *>(self)->name + " " + what).c_str());
    call->on_done(call);
  }
};

const std::string kLocal = std::string("AnK1\x01") + "a" + std::string(68, 'x');

class KeyRouter : public testing::Test {
 protected:
  ~KeyRouter() override {
    router_->ops->free(router_);
  }

  void Make(bool local, bool aws) {
    router_ = annals_key_router_new(local ? Named::Make("local", &is_local_freed_) : nullptr,
                                    aws ? Named::Make("aws", &is_aws_freed_) : nullptr);
  }

  bool is_local_freed_ = false;
  bool is_aws_freed_ = false;
  annals_key_provider *router_ = nullptr;
};

TEST_F(KeyRouter, ChoosesByTheKey) {
  Make(true, true);
  EXPECT_EQ(KeyCall("local:a").Generate(router_).Arn(), "local generate");
  for (const char *key_id : {"alias/local:a", "local", "arn:aws:kms:eu-west-1:1:key/x"}) {
    EXPECT_EQ(KeyCall(key_id).Generate(router_).Arn(), "aws generate");
  }
  EXPECT_EQ(KeyCall("local:a").Unwrap(router_, "x").Arn(), "local unwrap");
  EXPECT_EQ(KeyCall("x").Unwrap(router_, kLocal).Arn(), "aws unwrap");
}

TEST_F(KeyRouter, OrByTheWrappedForm) {
  Make(true, true);
  EXPECT_EQ(KeyCall(nullptr).Unwrap(router_, kLocal).Arn(), "local unwrap");
  EXPECT_EQ(KeyCall(nullptr).Unwrap(router_, kLocal + "x").Arn(), "aws unwrap");
}

TEST_F(KeyRouter, RewrapsWithinOneProvider) {
  Make(true, true);
  EXPECT_EQ(KeyCall("local:a").Rewrap(router_, "x", "local:b").Arn(), "local rewrap");
  EXPECT_EQ(KeyCall("local:a").Rewrap(router_, kLocal, nullptr).Arn(), "local rewrap");
  EXPECT_EQ(KeyCall("a").Rewrap(router_, "x", nullptr).Arn(), "aws rewrap");
  for (const char *to : {"a", "local:a"}) {
    KeyCall call(to);
    call.Rewrap(router_, to[0] == 'a' ? kLocal : "x", nullptr);
    EXPECT_EQ(call.Status(), ANNALS_KEY_MISMATCH);
    EXPECT_EQ(call.Message(), "a data key does not move between the key file and AWS KMS");
  }
}

TEST_F(KeyRouter, WhatIsNotThereIsUnavailable) {
  Make(false, false);
  KeyCall local("local:a"), aws("a");
  EXPECT_EQ(local.Generate(router_).Message(), "this server has no key file (--kms-key-file)");
  EXPECT_EQ(local.Status(), ANNALS_KEY_INVALID_STATE);
  EXPECT_EQ(local.State(), "UNAVAILABLE");
  EXPECT_EQ(aws.Unwrap(router_, "x").Message(),
            "this server does not ask AWS KMS (--kms-region, --kms-endpoint)");
  EXPECT_EQ(aws.State(), "UNAVAILABLE");
}

TEST_F(KeyRouter, EndsBoth) {
  Make(true, true);
  router_->ops->end(router_);
  KeyCall local("local:main");
  EXPECT_EQ(local.Generate(router_).Arn(), "local (ended) generate");
  KeyCall aws("alias/main");
  EXPECT_EQ(aws.Generate(router_).Arn(), "aws (ended) generate");
}

}  // namespace
