#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>

extern "C" {
#include "server/history/keyring.h"
}

namespace {

class Credentials : public testing::Test {
 protected:
  ~Credentials() override {
    annals_credentials_unref(credentials_);
  }

  void Parse(std::string text) {
    g_autoptr(GError) error = nullptr;
    credentials_ = annals_credentials_parse("file", text.data(), text.size(), &error);
    ASSERT_NE(credentials_, nullptr) << error->message;
  }

  static std::string Refusal(std::string text) {
    g_autoptr(GError) error = nullptr;
    EXPECT_EQ(annals_credentials_parse("file", text.data(), text.size(), &error), nullptr) << text;
    return error != nullptr ? error->message : "";
  }

  const annals_access_key *Find(const char *id) const {
    return annals_credentials_find_key(credentials_, id);
  }

  annals_credentials *credentials_ = nullptr;
};

TEST_F(Credentials, AreKeysOfPrincipals) {
  Parse(
      "# who may call\r\n"
      "; and more\n"
      "\n"
      "[reader]\n"
      "access_key_id = AKIAREADER\n"
      "secret_access_key=a/b+c=\n"
      "  allow = states:* on arn:a\t\n"
      "[arn:aws:iam::1:user/the engine]\n"
      "access_key_id=ASIA1\n"
      "secret_access_key=s1\n"
      "session_token=t1==\n"
      "expires=2027-01-01T00:00:00Z\n"
      "access_key_id=AKIA2\n"
      "secret_access_key=s2\n"
      "allow=states:* on arn:b\n"
      "allow=annals:* on arn:c");
  EXPECT_EQ(annals_credentials_principal_count(credentials_), 2U);
  EXPECT_EQ(Find("AKIAOTHER"), nullptr);
  EXPECT_EQ(Find("akiareader"), nullptr);

  const annals_access_key *reader = Find("AKIAREADER");
  ASSERT_NE(reader, nullptr);
  EXPECT_STREQ(reader->id, "AKIAREADER");
  EXPECT_STREQ(reader->secret, "a/b+c=");
  EXPECT_EQ(reader->session_token, nullptr);
  EXPECT_EQ(reader->expires_s, INT64_MAX);
  EXPECT_STREQ(reader->principal->name, "reader");
  EXPECT_EQ(reader->principal->rules->len, 1U);

  const annals_access_key *first = Find("ASIA1");
  const annals_access_key *second = Find("AKIA2");
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_STREQ(first->secret, "s1");
  EXPECT_STREQ(first->session_token, "t1==");
  EXPECT_EQ(first->expires_s, 1798761600);
  EXPECT_STREQ(second->secret, "s2");
  EXPECT_EQ(second->session_token, nullptr);
  EXPECT_EQ(second->expires_s, INT64_MAX);
  EXPECT_EQ(first->principal, second->principal);
  EXPECT_STREQ(first->principal->name, "arn:aws:iam::1:user/the engine");
  EXPECT_EQ(first->principal->rules->len, 2U);
}

TEST_F(Credentials, AreTokensAndCertificatesOfPrincipals) {
  Parse(
      "[engine]\n"
      "token = first-of-two-tokens/+=\n"
      "token = second-of-two-tokens\n"
      "expires = 2027-01-01T00:00:00Z\n"
      "certificate = URI:spiffe://Example.org/Engine\n"
      "certificate = DNS:Engine.Example.org\n"
      "[arn:aws:iam::1:user/reader]\n"
      "access_key_id=AKIA1\n"
      "secret_access_key=s1\n"
      "certificate = CN:The Reader\n"
      "token = third-of-three-tokens\n"
      "allow=states:* on arn:b\n");
  const annals_bearer_token *first =
      annals_credentials_find_token(credentials_, "first-of-two-tokens/+=");
  const annals_bearer_token *second =
      annals_credentials_find_token(credentials_, "second-of-two-tokens");
  const annals_bearer_token *third =
      annals_credentials_find_token(credentials_, "third-of-three-tokens");
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  ASSERT_NE(third, nullptr);
  EXPECT_STREQ(first->principal->name, "engine");
  EXPECT_EQ(first->principal, second->principal);
  EXPECT_EQ(first->expires_s, INT64_MAX);
  EXPECT_EQ(second->expires_s, 1798761600);
  EXPECT_EQ(third->expires_s, INT64_MAX);
  EXPECT_STREQ(third->principal->name, "arn:aws:iam::1:user/reader");
  EXPECT_EQ(third->principal, Find("AKIA1")->principal);
  for (const char *token : {"", "first-of-two-tokens/+", "First-of-two-tokens/+="}) {
    EXPECT_EQ(annals_credentials_find_token(credentials_, token), nullptr) << token;
  }
  auto whose = [&](const char *name) {
    const annals_principal *principal = annals_credentials_find_certificate(credentials_, name);
    return std::string(principal == nullptr ? "nobody" : principal->name);
  };
  EXPECT_EQ(whose("URI:spiffe://Example.org/Engine"), "engine");
  EXPECT_EQ(whose("URI:spiffe://example.org/engine"), "nobody");
  EXPECT_EQ(whose("DNS:engine.example.org"), "engine");
  EXPECT_EQ(whose("CN:engine.example.org"), "nobody");
  EXPECT_EQ(whose("CN:The Reader"), "arn:aws:iam::1:user/reader");
  EXPECT_EQ(whose("The Reader"), "nobody");
}

TEST_F(Credentials, SayWhatIsWrongWithTokensAndCertificates) {
  const std::string token = "[p]\ntoken=0123456789abcdef\n";
  const std::string size =
      "file:2: [p] token: 16 to 4096 characters of printable ASCII without blanks are expected";
  EXPECT_EQ(Refusal("[p]\ntoken=0123456789abcde\n"), size);
  EXPECT_EQ(Refusal("[p]\ntoken=0123456789 abcdef\n"), size);
  EXPECT_EQ(Refusal("[p]\ntoken=" + std::string(4097, 't')), size);
  EXPECT_EQ(Refusal(token + "[q]\ntoken=0123456789abcdef\n"),
            "file:4: [q] token: it stands in the file twice");
  EXPECT_EQ(Refusal(token + "secret_access_key=s\n"),
            "file:3: [p] secret_access_key: access_key_id must stand before it");
  EXPECT_EQ(Refusal("[p]\naccess_key_id=A\ntoken=0123456789abcdef\n"),
            "file:3: [p] token: the key before it has no secret_access_key");
  EXPECT_EQ(Refusal("[p]\naccess_key_id=A\ncertificate=CN:p\n"),
            "file:3: [p] certificate: the key before it has no secret_access_key");
  EXPECT_EQ(Refusal("[p]\nexpires=2027-01-01T00:00:00Z\n"),
            "file:2: [p] expires: access_key_id or token must stand before it");
  EXPECT_EQ(Refusal(token + "certificate=CN:p\nexpires=2027-01-01T00:00:00Z\n"),
            "file:4: [p] expires: access_key_id or token must stand before it");
  EXPECT_EQ(Refusal(token + "[q]\nexpires=2027-01-01T00:00:00Z\n"),
            "file:4: [q] expires: access_key_id or token must stand before it");
  for (const char *name : {"", "p", "CN:", "DNS:", "URI:", "cn:p", "IP:127.0.0.1"}) {
    EXPECT_EQ(Refusal(token + "certificate=" + name + "\n"),
              "file:3: [p] certificate: URI:…, DNS:… or CN:… is expected");
  }
  EXPECT_EQ(Refusal(token + "certificate=DNS:a.b\n[q]\ncertificate=DNS:A.B\n"),
            "file:5: [q] certificate: 'DNS:a.b' stands in the file twice");
}

TEST_F(Credentials, MayBeNone) {
  Parse("# nobody\n");
  EXPECT_EQ(annals_credentials_principal_count(credentials_), 0U);
  EXPECT_EQ(Find(""), nullptr);
}

TEST_F(Credentials, SayWhatIsWrongAndWhere) {
  const std::string key = "[p]\naccess_key_id=A\nsecret_access_key=s\n";
  EXPECT_EQ(Refusal("x"), "file:1: [PRINCIPAL] or KEY = VALUE is expected");
  EXPECT_EQ(Refusal("\nallow=* on *"), "file:2: a [PRINCIPAL] must stand before it");
  EXPECT_EQ(Refusal("[p"), "file:1: [PRINCIPAL] with a name of 1 to 256 bytes is expected");
  EXPECT_EQ(Refusal("[]"), "file:1: [PRINCIPAL] with a name of 1 to 256 bytes is expected");
  EXPECT_EQ(Refusal("[p]x"), "file:1: [PRINCIPAL] with a name of 1 to 256 bytes is expected");
  EXPECT_EQ(Refusal("[" + std::string(257, 'p') + "]"),
            "file:1: [PRINCIPAL] with a name of 1 to 256 bytes is expected");
  EXPECT_EQ(Refusal(key + "[p]\n"), "file:4: the principal 'p' stands in the file twice");
  EXPECT_EQ(Refusal("[p]\n[q]\n"),
            "file:2: [p]: the principal ends here without an access_key_id, a token or a "
            "certificate");
  EXPECT_EQ(Refusal("[p]\naccess_key_id=A\n"),
            "file:3: [p]: the principal ends here without a secret_access_key for A");
  EXPECT_EQ(Refusal("[p]\naccess_key_id=A\naccess_key_id=B\n"),
            "file:3: [p] access_key_id: the key before it has no secret_access_key");
  EXPECT_EQ(Refusal(key + "[q]\naccess_key_id=A\n"),
            "file:5: [q] access_key_id: 'A' stands in the file twice");
  EXPECT_EQ(Refusal("[p]\naccess_key_id=A/B\n"),
            "file:2: [p] access_key_id: 1 to 128 letters, digits, and _ - . are expected");
  EXPECT_EQ(Refusal("[p]\naccess_key_id=" + std::string(129, 'A')),
            "file:2: [p] access_key_id: 1 to 128 letters, digits, and _ - . are expected");
  EXPECT_EQ(Refusal("[p]\nsecret_access_key=s\n"),
            "file:2: [p] secret_access_key: access_key_id must stand before it");
  EXPECT_EQ(Refusal(key + "secret_access_key=s2\n"),
            "file:4: [p] secret_access_key: the key has one already");
  EXPECT_EQ(Refusal("[p]\naccess_key_id=A\nsecret_access_key=\n"),
            "file:3: [p] secret_access_key: printable ASCII without blanks is expected");
  EXPECT_EQ(Refusal(key + "session_token=a b\n"),
            "file:4: [p] session_token: printable ASCII without blanks is expected");
  EXPECT_EQ(Refusal(key + "expires=soon\n"),
            "file:4: [p] expires: a time such as 2027-01-01T00:00:00Z is expected");
  EXPECT_EQ(Refusal(key + "expires=2027-01-01T00:00:00Z\nexpires=2028-01-01T00:00:00Z\n"),
            "file:5: [p] expires: there is one already");
  EXPECT_EQ(Refusal(key + "Allow=* on *\n"), "file:4: [p] Allow: no such key");
  EXPECT_EQ(Refusal(key + "allow=*\n"), "file:4: [p] allow: ACTION… on ARN… is expected");
  EXPECT_EQ(Refusal(key + "# \xff\n"), "file: not UTF-8 text");
  EXPECT_EQ(Refusal(key + std::string(1, '\0') + "\n"), "file: not UTF-8 text");
}

class Keyring : public testing::Test {
 protected:
  Keyring() {
    Write("first", 0600);
  }
  ~Keyring() override {
    annals_keyring_free(keyring_);
    unlink(path_.c_str());
  }

  void Write(const std::string &secret, mode_t mode) {
    unlink(path_.c_str());
    std::ofstream(path_) << "[p]\naccess_key_id=A\nsecret_access_key=" << secret << "\n";
    chmod(path_.c_str(), mode);
  }

  static std::string Refusal(const std::string &path) {
    g_autoptr(GError) error = nullptr;
    EXPECT_EQ(annals_credentials_load(path.c_str(), &error), nullptr);
    return error != nullptr ? error->message : "";
  }

  /* The secret of the credentials that count. */
  std::string Secret() {
    annals_credentials *credentials = annals_keyring_get(keyring_);
    std::string secret = annals_credentials_find_key(credentials, "A")->secret;
    annals_credentials_unref(credentials);
    return secret;
  }

  std::string path_ = testing::TempDir() + "/credentials";
  annals_keyring *keyring_ = nullptr;
};

TEST_F(Keyring, RefusesFilesOfOthers) {
  const std::string problem =
      path_ + ": others can read or change it: its mode must be 600, 640 or less";
  for (mode_t mode : {0604, 0602, 0601, 0620, 0644, 0660, 0666}) {
    chmod(path_.c_str(), mode);
    EXPECT_EQ(Refusal(path_), problem) << std::oct << mode;
  }
  for (mode_t mode : {0600, 0400, 0640, 0440}) {
    chmod(path_.c_str(), mode);
    annals_credentials *credentials = annals_credentials_load(path_.c_str(), nullptr);
    EXPECT_NE(credentials, nullptr) << std::oct << mode;
    annals_credentials_unref(credentials);
  }
}

TEST_F(Keyring, RefusesWhatIsNoFile) {
  EXPECT_EQ(Refusal(path_ + ".missing"), path_ + ".missing: No such file or directory");
  EXPECT_EQ(Refusal("/"), "/: not a regular file");
  std::string fifo = path_ + ".fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(Refusal(fifo), fifo + ": not a regular file");
  unlink(fifo.c_str());
}

TEST_F(Keyring, RefusesWhatIsTooLong) {
  std::ofstream(path_, std::ios::trunc) << std::string(1 << 20, '#');
  annals_credentials *credentials = annals_credentials_load(path_.c_str(), nullptr);
  EXPECT_NE(credentials, nullptr);
  annals_credentials_unref(credentials);
  std::ofstream(path_, std::ios::app) << '#';
  EXPECT_EQ(Refusal(path_), path_ + ": longer than 1 MiB");
}

TEST_F(Keyring, ReloadsAndKeepsTheOldOnesWhenItCannot) {
  keyring_ = annals_keyring_new(path_.c_str(), nullptr);
  ASSERT_NE(keyring_, nullptr);
  annals_credentials *held = annals_keyring_get(keyring_);
  Write("second", 0600);
  EXPECT_EQ(Secret(), "first");
  ASSERT_TRUE(annals_keyring_reload(keyring_, nullptr));
  EXPECT_EQ(Secret(), "second");
  EXPECT_STREQ(annals_credentials_find_key(held, "A")->secret, "first");
  annals_credentials_unref(held);

  Write("with a blank", 0600);
  g_autoptr(GError) error = nullptr;
  EXPECT_FALSE(annals_keyring_reload(keyring_, &error));
  EXPECT_EQ(error->message,
            path_ + ":3: [p] secret_access_key: printable ASCII without blanks is expected");
  EXPECT_EQ(Secret(), "second");
}

TEST_F(Keyring, ReloadsWhileOthersLook) {
  keyring_ = annals_keyring_new(path_.c_str(), nullptr);
  ASSERT_NE(keyring_, nullptr);
  std::atomic<bool> stop{false};
  std::thread looking([&] {
    while (!stop) {
      EXPECT_EQ(Secret(), "first");
    }
  });
  for (int i = 0; i < 100; i++) {
    EXPECT_TRUE(annals_keyring_reload(keyring_, nullptr));
  }
  stop = true;
  looking.join();
}

}  // namespace
