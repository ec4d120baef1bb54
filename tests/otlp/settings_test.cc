#include "server/otlp/settings.h"

#include <glib/gstdio.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "server/otlp/pairs.h"

namespace annals {
namespace {

using Texts = std::map<std::string, std::string>;

Texts *variables;

const char *GetVariable(const char *name) {
  const auto found = variables->find(name);
  return found == variables->end() ? nullptr : found->second.c_str();
}

class Settings : public ::testing::Test {
 protected:
  Settings() {
    variables = &variables_;
  }
  ~Settings() override {
    annals_otlp_settings_clear(&settings_);
    g_clear_error(&error_);
  }

  bool Read() {
    annals_otlp_settings_clear(&settings_);
    const annals_otlp_options options = {endpoint_.c_str(), headers_file_.c_str(), ca_.c_str()};
    return annals_otlp_settings_read(&options, GetVariable, &settings_, &error_);
  }

  std::string Url() {
    EXPECT_TRUE(Read()) << error_->message;
    return settings_.url == nullptr ? "none" : settings_.url;
  }

  std::string Refusal() {
    g_clear_error(&error_);
    EXPECT_FALSE(Read());
    return error_ == nullptr ? "taken" : error_->message;
  }

  std::vector<std::string> Headers() {
    EXPECT_TRUE(Read()) << error_->message;
    std::vector<std::string> headers;
    for (char **header = settings_.headers; header != nullptr && *header != nullptr; header++) {
      headers.emplace_back(*header);
    }
    return headers;
  }

  Texts Resource() {
    EXPECT_TRUE(Read()) << error_->message;
    Texts texts;
    for (guint i = 0; i < settings_.resource->len; i++) {
      const auto &pair = g_array_index(settings_.resource, annals_pair, i);
      texts[pair.name] = pair.value;
    }
    return texts;
  }

  void Put(const std::string &text) {
    headers_file_ = testing::TempDir() + "headers";
    ASSERT_TRUE(g_file_set_contents(headers_file_.c_str(), text.data(), (gssize)text.size(), NULL));
  }

  std::string endpoint_, headers_file_, ca_;
  Texts variables_;
  annals_otlp_settings settings_ = {};
  GError *error_ = nullptr;
};

TEST_F(Settings, ExportNothingUnlessAskedTo) {
  variables_ = {{"OTEL_SERVICE_NAME", "x"},
                {"OTEL_EXPORTER_OTLP_ENDPOINT", ""},
                {"OTEL_RESOURCE_ATTRIBUTES", "nonsense"}};
  EXPECT_EQ(Url(), "none");
}

TEST_F(Settings, AddThePathOfTraces) {
  for (const auto &[endpoint, url] :
       {std::pair("http://collector:4318", "http://collector:4318/v1/traces"),
        {"https://collector/", "https://collector/v1/traces"},
        {"http://collector:4318/otlp//", "http://collector:4318/otlp/v1/traces"},
        {"http://[::1]:4318", "http://[::1]:4318/v1/traces"}}) {
    endpoint_ = endpoint;
    EXPECT_EQ(Url(), url);
  }
}

TEST_F(Settings, TakeWhatCountsForMore) {
  variables_["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://all:1";
  EXPECT_EQ(Url(), "http://all:1/v1/traces");
  variables_["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://traces:1/as/it/is";
  EXPECT_EQ(Url(), "http://traces:1/as/it/is");
  endpoint_ = "http://option:1";
  EXPECT_EQ(Url(), "http://option:1/v1/traces");
}

TEST_F(Settings, CanBeTurnedOffByTheEnvironment) {
  variables_ = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1"}, {"OTEL_SDK_DISABLED", "True"}};
  EXPECT_EQ(Url(), "none");
  variables_["OTEL_SDK_DISABLED"] = "false";
  variables_["OTEL_TRACES_EXPORTER"] = "none";
  EXPECT_EQ(Url(), "none");
  endpoint_ = "http://option:1";
  EXPECT_EQ(Url(), "http://option:1/v1/traces");
}

TEST_F(Settings, RefuseWhatIsNoEndpoint) {
  for (const auto &[endpoint, problem] :
       {std::pair("collector:4318", "it is not a URL of http or https"),
        {"ftp://collector", "it is not a URL of http or https"},
        {"http://", "it is not a URL of http or https"},
        {"http://user:secret@collector", "it has a user name: give a header Authorization instead"},
        {"http://collector/?key=secret", "it has a query"},
        {"http://collector/#a", "it has a fragment"}}) {
    endpoint_ = endpoint;
    EXPECT_EQ(Refusal(), std::string("--otlp-endpoint: ") + problem) << endpoint;
  }
  endpoint_ = "";
  variables_["OTEL_EXPORTER_OTLP_ENDPOINT"] = "nothing";
  EXPECT_EQ(Refusal(), "OTEL_EXPORTER_OTLP_ENDPOINT: it is not a URL of http or https");
}

TEST_F(Settings, RefuseAnotherProtocolOfTheEnvironment) {
  variables_ = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317"},
                {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}};
  EXPECT_EQ(Refusal(), "OTEL_EXPORTER_OTLP_PROTOCOL: http/protobuf is all that is spoken");
  variables_["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = "http/protobuf";
  EXPECT_EQ(Url(), "http://all:4317/v1/traces");
}

TEST_F(Settings, ReadHeadersOfTheEnvironment) {
  endpoint_ = "http://collector";
  variables_["OTEL_EXPORTER_OTLP_HEADERS"] = " api-key = a%20b%3D , x=1,,x=2 ";
  EXPECT_EQ(Headers(), (std::vector<std::string>{"api-key: a b=", "x: 2"}));
  variables_["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] = "y=1";
  EXPECT_EQ(Headers(), (std::vector<std::string>{"y: 1"}));
  for (const char *wrong :
       {"a=1,secret", "a=1,b=%0d%0asecret: 1", "a=1,b c=secret", "a=1,=secret", "a=1,b=%ff"}) {
    variables_["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] = wrong;
    const std::string refusal = Refusal();
    EXPECT_EQ(refusal.rfind("OTEL_EXPORTER_OTLP_TRACES_HEADERS: pair 2 is not ", 0), 0U) << refusal;
    EXPECT_EQ(refusal.find("secret"), std::string::npos) << refusal;
  }
}

TEST_F(Settings, ReadHeadersOfAFile) {
  endpoint_ = "http://collector";
  variables_["OTEL_EXPORTER_OTLP_HEADERS"] = "not=these";
  Put("# who may send\r\n\n Authorization:  Bearer abc \nx-y: a:b\n");
  EXPECT_EQ(Headers(), (std::vector<std::string>{"Authorization: Bearer abc", "x-y: a:b"}));

  Put("x-y: changed\n");
  GStrv again = annals_otlp_settings_headers(&settings_, &error_);
  ASSERT_NE(again, nullptr);
  EXPECT_STREQ(again[0], "x-y: changed");
  g_strfreev(again);
}

TEST_F(Settings, RefuseFilesThatAreNoHeaders) {
  endpoint_ = "http://collector";
  for (const char *wrong :
       {"a: 1\nsecret", "a: 1\n: secret", "a: 1\nb:", "a: 1\nb c: secret", "a: 1\nb: sec\tret",
        "a: 1\nb: s\xc3\xa9"
        "cret"}) {
    Put(wrong);
    EXPECT_EQ(Refusal(), headers_file_ + ": line 2 is not a header") << wrong;
  }
  Put(std::string("a: 1\0b: 2", 9));
  EXPECT_EQ(Refusal(), headers_file_ + ": it is no list of headers");
  g_unlink(headers_file_.c_str());
  EXPECT_NE(Refusal().find(headers_file_), std::string::npos);
}

TEST_F(Settings, SayWhoTells) {
  endpoint_ = "http://collector";
  Texts resource = Resource();
  EXPECT_EQ(resource["service.name"], "annals");
  EXPECT_EQ(resource["service.instance.id"].size(), 36U);
  EXPECT_EQ(resource.count("host.name"), 1U);
  variables_["OTEL_RESOURCE_ATTRIBUTES"] =
      "service.name=of-attributes,k8s.pod.name=annals-0,host.name=a%2Cb";
  resource = Resource();
  EXPECT_EQ(resource["service.name"], "of-attributes");
  EXPECT_EQ(resource["k8s.pod.name"], "annals-0");
  EXPECT_EQ(resource["host.name"], "a,b");
  variables_["OTEL_SERVICE_NAME"] = "histories";
  EXPECT_EQ(Resource()["service.name"], "histories");
  variables_["OTEL_RESOURCE_ATTRIBUTES"] = "a=b,c";
  EXPECT_EQ(Refusal(), "OTEL_RESOURCE_ATTRIBUTES: pair 2 is not NAME=VALUE");
}

TEST_F(Settings, SayWhomToTrust) {
  endpoint_ = "https://collector";
  variables_["OTEL_EXPORTER_OTLP_CERTIFICATE"] = "/of/all";
  EXPECT_EQ((Url(), std::string(settings_.ca_path)), "/of/all");
  ca_ = "/of/the/option";
  EXPECT_EQ((Url(), std::string(settings_.ca_path)), "/of/the/option");
}

}  // namespace
}  // namespace annals
