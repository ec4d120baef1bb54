/* Where a server has its data keys from, as its options say. */
#include "server/key_service.h"

#include <glib/gstdio.h>

#include "tests/kms/key_call.h"

namespace {

const std::string kKeys = "main " + std::string(64, '1') + "\n";

class KeyService : public testing::Test {
 protected:
  KeyService() {
    g_autofree char *dir = g_dir_make_tmp("annals-keys-XXXXXX", nullptr);
    dir_ = dir;
    path_ = dir_ + "/keys";
  }
  ~KeyService() override {
    annals_key_service_free(service_);
    annals_reload_free(reload_);
    annals_metrics_free(metrics_);
    g_unlink(path_.c_str());
    g_rmdir(dir_.c_str());
  }

  void Write(const std::string &keys) {
    ASSERT_TRUE(g_file_set_contents_full(path_.c_str(), keys.data(), keys.size(),
                                         G_FILE_SET_CONTENTS_CONSISTENT, 0600, nullptr));
  }

  /* Returns why there is none, or "". */
  std::string Make(const std::string &key_file, const std::string &region,
                   const std::string &endpoint) {
    annals_options options = {};
    options.kms_key_file = const_cast<char *>(key_file.c_str());
    options.kms_region = const_cast<char *>(region.c_str());
    options.kms_endpoint = const_cast<char *>(endpoint.c_str());
    options.kms_timeout = 1;
    g_autoptr(GError) error = nullptr;
    service_ = annals_key_service_new(&options, reload_, metrics_, &error);
    return service_ != nullptr ? "" : error->message;
  }

  /* Asks for a key to seal with; "ok", or why there is none. */
  std::string Seal(const std::string &key_id, const std::string &context) {
    annals_data_key_request request = {};
    std::string outcome;
    request.key_id = key_id.c_str();
    request.context_name = "aws:states:executionArn";
    request.context_value = context.c_str();
    request.reuse_us = 60 * G_USEC_PER_SEC;
    request.on_done = [](annals_data_key_request *) { FAIL() << "nobody is far away"; };
    EXPECT_TRUE(annals_data_keys_request(annals_key_service_data_keys(service_), &request));
    outcome = request.status == ANNALS_KEY_OK ? "ok" : request.message;
    annals_data_key_unref(request.key);
    g_free(request.message);
    return outcome;
  }

  std::string dir_, path_;
  annals_metrics *metrics_ = annals_metrics_new();
  annals_reload *reload_ = annals_reload_new(metrics_);
  annals_key_service *service_ = nullptr;
};

TEST_F(KeyService, HasNoneUnlessItIsTold) {
  EXPECT_EQ(Make("", "", ""), "");
  EXPECT_EQ(annals_key_service_data_keys(service_), nullptr);
}

TEST_F(KeyService, NamesTheOptionThatIsWrong) {
  EXPECT_EQ(Make(path_, "", "").find("--kms-key-file: " + path_), 0U);
  EXPECT_EQ(Make("", "no region", ""),
            "--kms-region no region: a region such as us-east-1 is expected");
  EXPECT_EQ(Make("", "", "ftp://kms"),
            "--kms-endpoint ftp://kms: http(s)://HOST[:PORT] is expected");
  Write(kKeys);
  EXPECT_EQ(Make(path_, "no region", "").find("--kms-region"), 0U) << "both have to be right";
}

TEST_F(KeyService, GivesKeysOfTheFileAndReadsItAgain) {
  Write(kKeys);
  ASSERT_EQ(Make(path_, "", ""), "");
  EXPECT_EQ(Seal("local:main", "one"), "ok");
  EXPECT_EQ(Seal("alias/main", "two"),
            "this server does not ask AWS KMS (--kms-region, --kms-endpoint)");
  EXPECT_NE(Seal("local:other", "three"), "ok");
  Write(kKeys + "other " + std::string(64, '2') + "\n");
  annals_reload_look(reload_, true);
  EXPECT_EQ(Seal("local:other", "four"), "ok");
  GString *text = annals_metrics_text(metrics_);
  const std::string metrics(text->str, text->len);
  g_string_free(text, TRUE);
  EXPECT_NE(metrics.find("\nannals_data_keys 2\n"), std::string::npos);
  EXPECT_NE(metrics.find("{provider=\"key_file\",operation=\"generate\",outcome=\"ok\"} 2\n"),
            std::string::npos);
  EXPECT_EQ(metrics.find("provider=\"aws_kms\""), std::string::npos) << "there is none";
  EXPECT_EQ(metrics.find("annals_kms_breaker_open "), std::string::npos);
}

TEST_F(KeyService, TellsOfTheBreakerWhereKmsIsAsked) {
  ASSERT_EQ(Make("", "eu-west-1", "http://127.0.0.1:1/"), "");
  ASSERT_NE(annals_key_service_data_keys(service_), nullptr);
  GString *text = annals_metrics_text(metrics_);
  EXPECT_NE(std::string(text->str).find("\nannals_kms_breaker_open 0\n"), std::string::npos);
  g_string_free(text, TRUE);
  EXPECT_EQ(Seal("local:main", "one"), "this server has no key file (--kms-key-file)");
}

}  // namespace
