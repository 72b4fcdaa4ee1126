#include "operations/make_operation.h"

#include <bit>
#include <string>

#include "operations/kinds.h"

namespace conv1d {
namespace {

struct Kind {
  const char* name;
  MadeOperation (*make)(const OperationSpec& spec, OperationId id);
};

constexpr Kind kKinds[] = {
    {"add", make_arithmetic},
    {"subtract", make_arithmetic},
    {"multiply", make_arithmetic},
    {"divide", make_arithmetic},
    {"affine", make_affine},
    {"activation", make_activation},
    {"gate", make_of_halves},
    {"glu", make_of_halves},
    {"magnitude", make_of_halves},
    {"square", make_function},
    {"sqrt", make_function},
    {"abs", make_function},
    {"exp", make_function},
    {"log", make_function},
    {"clip", make_function},
    {"concat", make_concat},
    {"slice", make_slice},
    {"pad", make_pad},
    {"crop", make_pad},
    {"reverse", make_reverse},
    {"upsample", make_upsample},
    {"maxPool", make_pool},
    {"averagePool", make_pool},
    {"globalMaxPool", make_global_pool},
    {"globalAveragePool", make_global_pool},
    {"softmax", make_softmax},
    {"logSoftmax", make_softmax},
    {"layerNorm", make_layer_norm},
    {"groupNorm", make_group_norm},
    {"instanceNorm", make_group_norm},
    {"batchNorm", make_batch_norm},
    {"dropout", make_dropout},
};

// FNV-1a (Fowler, Noll, Vo).
uint32_t digest_of(const OperationSpec& spec) {
  uint32_t digest = 2166136261U;
  const auto add = [&](uint32_t byte) { digest = (digest ^ byte) * 16777619U; };
  for (const char c : spec.kind) add(static_cast<uint8_t>(c));
  for (const double number : spec.numbers) {
    const auto bits = std::bit_cast<uint64_t>(number);
    for (int shift = 0; shift < 64; shift += 8) add(static_cast<uint8_t>(bits >> shift));
  }
  return digest;
}

}  // namespace

MadeOperation make_operation(const OperationSpec& spec) {
  for (const Kind& kind : kKinds) {
    if (kind.name == spec.kind) return kind.make(spec, {kind.name, digest_of(spec)});
  }
  return option_error("operation", "there is no operation '" + std::string(spec.kind) + "'");
}

}  // namespace conv1d
