using System.Text;
using System.Text.Json;

namespace WebhookEdge.Configuration;

/// <summary>
/// A JSON file with what <see cref="JsonDocument"/> forgets: where everything stands, and keys that were written twice.
/// Comments and trailing commas are allowed, depth is bounded, strings and keys are checked to be Unicode.
/// </summary>
internal sealed class JsonTree
{
    public const int MaxDepth = 64;

    private static readonly JsonReaderOptions ReaderOptions = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip,
        MaxDepth = MaxDepth };

    private readonly byte[] _utf8;
    private readonly List<int> _lines = [0];
    private Dictionary<string, int>? _places;

    private JsonTree(byte[] utf8)
    {
        _utf8 = utf8;
        for (var i = 0; i < utf8.Length; i++)
        {
            if (utf8[i] == (byte)'\n')
            {
                _lines.Add(i + 1);
            }
        }

        Root = new(JsonTokenType.Null, 0);
    }

    public Node Root { get; private set; }

    /// <summary>Null and the first fault when the bytes are no JSON: what follows a syntax error cannot be told apart from it.</summary>
    public static JsonTree? Parse(byte[] utf8, out ConfigProblem? fault)
    {
        var tree = new JsonTree(utf8);
        fault = tree.Read();
        return fault is null ? tree : null;
    }

    /// <summary>The bytes of one value.</summary>
    public ReadOnlySpan<byte> Bytes(Node node) => _utf8.AsSpan(node.Start..node.End);

    public FilePosition Position(int offset)
    {
        offset = Math.Clamp(offset, 0, _utf8.Length);
        var line = _lines.BinarySearch(offset);
        line = line < 0 ? ~line - 1 : line;
        return new(line + 1, Encoding.UTF8.GetCharCount(_utf8.AsSpan(_lines[line]..offset)) + 1);
    }

    /// <summary>The place of a problem's path; of its nearest container when the path itself was not written.</summary>
    public FilePosition? Find(string path)
    {
        EnsureIndex();
        for (var length = path.Length; length > 0; length = path.AsSpan(0, length).LastIndexOfAny('.', '['))
        {
            if (_places!.TryGetValue(path[..length], out var offset))
            {
                return Position(offset);
            }
        }

        return null;
    }

    /// <summary>Is there a value at exactly this path?</summary>
    public bool Has(string path)
    {
        EnsureIndex();
        return _places!.ContainsKey(path);
    }

    private void EnsureIndex()
    {
        if (_places is null)
        {
            _places = [];
            Index("", Root);
        }
    }

    private void Index(string path, Node node)
    {
        foreach (var member in node.Members)
        {
            var inner = JsonPath.Key(path, member.Key);
            _places!.TryAdd(inner, member.Value.IsContainer ? member.Start : member.Value.Start);
            Index(inner, member.Value);
        }

        for (var i = 0; i < node.Items.Count; i++)
        {
            var inner = JsonPath.Item(path, i);
            _places!.TryAdd(inner, node.Items[i].Start);
            Index(inner, node.Items[i]);
        }
    }

    private ConfigProblem? Read()
    {
        var reader = new Utf8JsonReader(_utf8, ReaderOptions);
        var open = new Stack<Node>();
        var path = new Stack<string>();
        var here = "";
        var rooted = false;
        string? key = null;
        var keyStart = 0;
        var afterValue = false;
        try
        {
            while (reader.Read())
            {
                var start = (int)reader.TokenStartIndex;
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        (key, keyStart, afterValue) = (reader.GetString()!, start, false);
                        continue;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        open.Pop().End = (int)reader.BytesConsumed;
                        here = path.Pop();
                        afterValue = true;
                        continue;
                }

                var node = new Node(reader.TokenType, start) { Text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null,
                    End = (int)reader.BytesConsumed };
                var place = here;
                if (!rooted)
                {
                    (Root, rooted) = (node, true);
                }
                else if (open.Peek().Kind == JsonTokenType.StartObject)
                {
                    open.Peek().Members.Add(new(key!, keyStart, node));
                    place = JsonPath.Key(here, key!);
                }
                else
                {
                    open.Peek().Items.Add(node);
                    place = JsonPath.Item(here, open.Peek().Items.Count - 1);
                }

                afterValue = !node.IsContainer;
                if (node.IsContainer)
                {
                    open.Push(node);
                    path.Push(here);
                    here = place;
                }
            }

            return null;
        }
        catch (JsonException e)
        {
            var line = (int)Math.Clamp(e.LineNumber ?? 0, 0, _lines.Count - 1);
            var offset = (int)Math.Clamp(_lines[line] + (e.BytePositionInLine ?? 0), 0, _utf8.Length);
            var (message, hint) = Explain(offset, open, afterValue, rooted);
            return new ConfigProblem(here, message, hint) { At = Position(offset) };
        }
        catch (InvalidOperationException)
        {
            // Utf8JsonReader.GetString: invalid UTF-8, or half of a surrogate pair written as \uD800.
            return new ConfigProblem(here, "this text is not valid Unicode", "save the file as UTF-8") { At = Position((int)reader.TokenStartIndex) };
        }
    }

    /// <summary>In our own words: the reader's message may quote the text it stumbled over, which may be a secret without its quotes.</summary>
    private (string Message, string? Hint) Explain(int offset, Stack<Node> open, bool afterValue, bool rooted)
    {
        if (offset >= _utf8.Length)
        {
            return !rooted
                ? ("the file holds no JSON", "write an object with \"routes\"")
                : open.TryPeek(out var container)
                    ? ($"the file ends before the {(container.Kind == JsonTokenType.StartObject ? "object" : "list")} of line "
                    + $"{Position(container.Start).Line} is closed", "is the file complete?")
                    : ("the file ends in the middle of something", "is the file complete?");
        }

        var found = (char)_utf8[offset];
        if (rooted && open.Count == 0)
        {
            return ("something stands after the end of the JSON", "the file holds exactly one object");
        }

        if (open.Count >= MaxDepth)
        {
            return ($"nested deeper than {MaxDepth} levels", "nothing in a routes file is; is a bracket missing further up?");
        }

        if (offset > 0 && _utf8[offset - 1] == (byte)'\\')
        {
            return ("an escape that JSON does not know", "write a backslash as \\\\");
        }

        return found switch
        {
            < ' ' => ("a line break or control character inside a string", "write a line break as \\n, and close the string on its line"),
            '"' or '{' or '[' when afterValue => ("a comma is missing before this", null),
            '\'' => ("strings stand in double quotes", null),
            ',' => ("a comma without a value before it", null),
            '}' or ']' => ("closed by the wrong bracket, or a value is missing before it", null),
            _ when char.IsAsciiLetter(found) => ("a bare word", "keys and strings stand in double quotes; the only bare words are true and false"),
            _ => ("this is not JSON", null),
        };
    }

    /// <summary>A key with its value, in the order of the file, repeated keys included.</summary>
    internal readonly record struct Member(string Key, int Start, Node Value);

    internal sealed class Node(JsonTokenType kind, int start)
    {
        public JsonTokenType Kind => kind;

        public int Start => start;

        public int End { get; set; }

        public string? Text { get; init; }

        public List<Member> Members { get; } = [];

        public List<Node> Items { get; } = [];

        public bool IsContainer => kind is JsonTokenType.StartObject or JsonTokenType.StartArray;
    }
}
