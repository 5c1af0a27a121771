#include "common/json/patch.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "common/json/writer.h"
#include "tests/unit/json/random_json.h"

namespace signalbox::json {
namespace {

TEST(ForEachMember, ShowsNamesAndRawValuesInOrder) {
  std::vector<std::string> seen;
  ForEachMember(R"( { "a" : 1.50 , "b":"x\"}," , "c":[{"d":"]"}],"e":{} } )",
                [&](const Member& member) {
                  seen.push_back(std::string(member.name) + "=" + std::string(member.value));
                  return true;
                });
  EXPECT_EQ(seen, (std::vector<std::string>{"a=1.50", R"(b="x\"},")", R"(c=[{"d":"]"}])", "e={}"}));
}

TEST(ForEachMember, StopsWhenToldAndIgnoresWhatIsNotAnObject) {
  int calls = 0;
  ForEachMember(R"({"a":1,"b":2})", [&](const Member&) { return ++calls, false; });
  EXPECT_EQ(calls, 1);
  for (const char* text : {"", "[1]", "\"a\"", "{}", "  { } "}) {
    ForEachMember(text, [&](const Member&) { return ++calls, true; });
  }
  EXPECT_EQ(calls, 1);
}

TEST(ForEachMember, NeverLeavesTheTextWhenItIsCut) {
  const std::string text = R"({"a":"x\\","b":[{"c":"\""}],"d":12,"e":null})";
  for (size_t length = 0; length <= text.size(); ++length) {
    const std::string cut =
        text.substr(0, length);  // its own allocation: sanitizers see an overrun
    ForEachMember(cut, [&](const Member& member) {
      EXPECT_GE(member.whole.data(), cut.data());
      EXPECT_LE(member.whole.end(), cut.data() + cut.size());
      return true;
    });
  }
}

TEST(ObjectPatch, ReplacesInPlaceAndKeepsEveryOtherByte) {
  ObjectPatch patch;
  patch.SetString("model", "llama-3");
  EXPECT_EQ(patch.Apply("{ \"n\" : 1.0e2 ,\n \"model\" : \"x\" , \"u\\u0041\":[ ] }"),
            "{ \"n\" : 1.0e2 ,\n \"model\" : \"llama-3\" , \"u\\u0041\":[ ] }");
}

TEST(ObjectPatch, AddsAtTheEnd) {
  ObjectPatch patch;
  patch.Set("s", "{\"x\":true}");
  EXPECT_EQ(patch.Apply("{}"), "{\"s\":{\"x\":true}}");
  EXPECT_EQ(patch.Apply("{\"a\":1 }"), "{\"a\":1,\"s\":{\"x\":true} }");
}

TEST(ObjectPatch, RemovesFirstMiddleLastAndAll) {
  ObjectPatch first, middle, last, all;
  first.Remove("a");
  middle.Remove("b");
  last.Remove("c");
  for (const char* name : {"a", "b", "c"}) all.Remove(name);
  const char* text = "{ \"a\":1, \"b\":2, \"c\":3 }";
  EXPECT_EQ(first.Apply(text), "{ \"b\":2, \"c\":3 }");
  EXPECT_EQ(middle.Apply(text), "{ \"a\":1, \"c\":3 }");
  EXPECT_EQ(last.Apply(text), "{ \"a\":1, \"b\":2 }");
  EXPECT_EQ(all.Apply(text), "{ }");
}

TEST(ObjectPatch, TouchesOnlyTheTopLevel) {
  ObjectPatch patch;
  patch.Remove("a");
  EXPECT_EQ(patch.Apply(R"({"b":{"a":1},"a":2})"), R"({"b":{"a":1}})");
}

TEST(ObjectPatch, ReplaceDoesNotAdd) {
  ObjectPatch patch;
  patch.Replace("a", "2");
  EXPECT_EQ(patch.Apply(R"({"b":1})"), R"({"b":1})");
  EXPECT_EQ(patch.Apply(R"({"a":1})"), R"({"a":2})");
}

TEST(ObjectPatch, RenameKeepsTheValueUnlessTheNewNameExists) {
  ObjectPatch patch;
  patch.Rename("max_tokens", "max_completion_tokens");
  EXPECT_EQ(patch.Apply(R"({"max_tokens" : 5,"a":1})"), R"({"max_completion_tokens" : 5,"a":1})");
  EXPECT_EQ(patch.Apply(R"({"max_tokens":5,"max_completion_tokens":7})"),
            R"({"max_completion_tokens":7})");
  patch.Set("max_completion_tokens", "9");
  EXPECT_EQ(patch.Apply(R"({"max_tokens":5})"), R"({"max_completion_tokens":9})");
}

TEST(ObjectPatch, TheLastEditOfANameCounts) {
  ObjectPatch patch;
  patch.Set("a", "1");
  patch.Remove("a");
  EXPECT_EQ(patch.Apply(R"({"a":0,"b":0})"), R"({"b":0})");
  patch.Set("a", "2");
  EXPECT_EQ(patch.Apply(R"({"b":0})"), R"({"b":0,"a":2})");
}

TEST(ObjectPatch, ATableOfRemovalsYieldsToExplicitEdits) {
  static constexpr absl::string_view kNames[] = {"a", "b"};
  ObjectPatch patch;
  patch.Set("b", "9");
  patch.RemoveEach(kNames);
  EXPECT_EQ(patch.Apply(R"({"a":0,"b":0,"c":0})"), R"({"b":9,"c":0})");
}

TEST(ObjectPatch, AnEscapedNameDoesNotSlipThrough) {
  ObjectPatch patch;
  patch.Remove("base_url");
  EXPECT_EQ(patch.Apply(R"({"\u0062ase\u005furl":"http://evil","a":1})"), R"({"a":1})");
}

TEST(ObjectPatch, EveryOccurrenceOfADuplicateIsPatched) {
  ObjectPatch patch;
  patch.Set("model", "\"m\"");
  patch.Remove("x");
  EXPECT_EQ(patch.Apply(R"({"model":1,"x":1,"model":2,"x":2})"), R"({"model":"m","model":"m"})");
}

TEST(ObjectPatch, AgreesWithATreeOnRandomObjects) {
  constexpr uint64_t kSeed = 20261124;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Rng rng(kSeed);
  for (int round = 0; round < 3000; ++round) {
    const std::string text = RandomObject(rng, 3);
    nlohmann::ordered_json tree = nlohmann::ordered_json::parse(text);
    ObjectPatch patch;
    // One edit per name, and renames to names of their own, so that the order of edits does not
    // matter to the tree.
    for (char c = 'a'; c <= 'h'; ++c) {
      const std::string name(1, c);
      switch (rng.Below(6)) {
        case 0:
          patch.Set(name, "[42]"), tree[name] = nlohmann::json::array({42});
          break;
        case 1:
          patch.Remove(name), tree.erase(name);
          break;
        case 2:
          patch.Replace(name, "\"r\"");
          if (tree.contains(name)) tree[name] = "r";
          break;
        case 3:
          patch.Rename(name, name + "2");
          if (tree.contains(name)) tree[name + "2"] = tree[name], tree.erase(name);
          break;
        default:
          break;
      }
    }
    EXPECT_EQ(nlohmann::json(nlohmann::json::parse(patch.Apply(text))), nlohmann::json(tree))
        << text;
  }
}

TEST(ForEachMember, AgreesWithATreeOnRandomObjects) {
  constexpr uint64_t kSeed = 7;
  Rng rng(kSeed);
  for (int round = 0; round < 3000; ++round) {
    const std::string text = RandomObject(rng, 4);
    const auto tree = nlohmann::ordered_json::parse(text);
    auto expected = tree.items().begin();
    size_t count = 0;
    ForEachMember(text, [&](const Member& member) {
      EXPECT_EQ(std::string(member.name), expected.key());
      EXPECT_EQ(nlohmann::ordered_json::parse(std::string(member.value)), expected.value())
          << text << " seed " << kSeed;
      ++expected;
      ++count;
      return true;
    });
    EXPECT_EQ(count, tree.size());
  }
}

}  // namespace
}  // namespace signalbox::json
