# What a CronJob is made of, out of the API's OpenAPI document of batch/v1: one line a field, without
# what does not constrain it. README.md says how to run this.

def prefix: "#/components/schemas/";

# with adds to the names of schemas those that they refer to, and so on.
def with($schemas):
  (. + [$schemas[.[]] | .. | objects | .["$ref"]? | strings | ltrimstr(prefix)] | unique) as $more
  | if $more == . then . else $more | with($schemas) end;

# A field may itself be called description or default; what is in properties is named by fields.
def bare:
  if type == "object" then
    with_entries(
      if .key == "properties" then .value |= map_values(bare)
      else select(.key != "description" and .key != "default" and (.key | startswith("x-") | not)) | .value |= bare end)
  elif type == "array" then map(bare)
  else . end;

def lines($indent): to_entries | map($indent + (.key | tojson) + ": " + (.value | tojson)) | join(",\n");

def schema:
  if .properties then
    (del(.properties) | tojson | rtrimstr("}")) + ",\"properties\": {\n" + (.properties | lines("  ")) + "\n}}"
  else tojson end;

.components.schemas as $schemas
| ["io.k8s.api.batch.v1.CronJob"] | with($schemas)
| map(tojson + ": " + ($schemas[.] | bare | schema))
| "{\"components\": {\"schemas\": {\n" + join(",\n") + "\n}}}"
