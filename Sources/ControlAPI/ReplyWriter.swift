/// Holds the text written so far, and the objects and lists that are not complete yet.
///
/// The members of an object are written without their keys as they come. When it is complete, they are put into the alphabetical order of their keys, as
/// `JSONRPC.encoder()` has them. Objects of one type mostly have the same members in the same order, so that order is worked out only once for each `Shape`.
struct ReplyWriter: ~Copyable {
    private(set) var text = ReplyBytes()
    /// A scratch copy of the values of an object while they are put into the order of their keys.
    private var values = ReplyBytes()
    /// The innermost value that is not complete, and those around it.
    private var top = Frame(start: 0, firstMember: 0, shape: Self.none)
    private var around: [Frame] = []
    /// The members of all objects that are not complete, those of the innermost object last.
    private var members: [Member] = []
    private var keys = KeyTexts()
    private var shapes: [Shape] = []
    private var orders: [Place] = []
    private var types = TypeTable<TypeFacts>()

    private static let none = -1
    /// More shapes than this are not remembered, as replies have a few dozen.
    private static let mostShapes = 4_096

    private struct Frame {
        enum Kind { case value, object, list }
        var kind = Kind.value
        /// The offset in `text` at which its values begin.
        var start: Int
        /// The place in `members` of its first.
        var firstMember: Int
        /// The place in `shapes` that its members so far have led to; `none`: their order is worked out for this object alone.
        var shape: Int
        /// Whether the keys are words of the user, which are written as they are, instead of names of fields.
        var isTable = false
        /// The number of items of a list.
        var items = 0
    }

    private struct Member {
        /// The key's number.
        var key: Int
        /// The offset in `text` at which its value begins.
        var start: Int
    }

    /// The names of an object's members in the order in which they come: the last one, and where those before it are.
    private struct Shape {
        var name: String
        var key: Int
        /// Shapes with one member more: the first, and the one that was found last.
        var child = none, recent = none
        /// The next shape with as many members and the same before its last one.
        var sibling = none
        /// Where in `orders` its members stand in alphabetical order; `none`: no object of this shape was complete so far.
        var order = none
        /// The length of all its keys as they are written.
        var keyBytes = 0
    }

    /// A member's place in an object.
    private struct Place {
        /// Which member it is, in the order in which they come.
        var member: Int
        var key: Int
    }

    private struct TypeFacts {
        var isTable: Bool
        /// The shape of an object of the type without members.
        var shape: Int
    }

    // MARK: Values

    /// Begins a value of any type. `end` ends it.
    mutating func begin<Value>(_: Value.Type) {
        let facts = facts(Value.self)
        around.append(top)
        top = Frame(start: text.count, firstMember: members.count, shape: facts.shape, isTable: facts.isTable)
    }

    private mutating func facts<Value>(_: Value.Type) -> TypeFacts {
        types.facts(of: Value.self) {
            if Value.self is any StringKeyed.Type { return TypeFacts(isTable: true, shape: Self.none) }
            shapes.append(Shape(name: "", key: Self.none))
            return TypeFacts(isTable: false, shape: shapes.count - 1)
        }
    }

    mutating func end() {
        switch top.kind {
        case .value: break
        case .list: text.append(UInt8(ascii: "]"))
        case .object: endObject()
        }
        top = around.removeLast()
    }

    private mutating func endObject() {
        let count = members.count - top.firstMember
        guard count > 0 else { text.append("{}"); return }
        let order: ArraySlice<Place>, keyBytes: Int
        if top.shape == Self.none {
            order = alphabetical()[...]
            keyBytes = order.reduce(0) { $0 + keys.length($1.key) }
        } else {
            if shapes[top.shape].order == Self.none {
                let order = alphabetical()
                shapes[top.shape].order = orders.count
                shapes[top.shape].keyBytes = order.reduce(0) { $0 + keys.length($1.key) }
                orders += order
            }
            let first = shapes[top.shape].order
            (order, keyBytes) = (orders[first..<first + count], shapes[top.shape].keyBytes)
        }
        let end = text.count, start = top.start
        values.cut(to: 0)
        values.append(text.bytes + start, end - start)
        text.cut(to: start)
        // Room for all is made at once: the keys, the values, a comma or brace before each, and the last brace.
        text.reserve(keyBytes + end - start + count + 1)
        text.append(UInt8(ascii: "{"))
        members.withUnsafeBufferPointer { members in
            let members = members[top.firstMember...]
            var isFirst = true
            for place in order {
                if !isFirst { text.append(UInt8(ascii: ",")) }
                isFirst = false
                keys.append(place.key, to: &text)
                let member = members.startIndex + place.member
                let next = member + 1 < members.endIndex ? members[member + 1].start : end
                text.append(values.bytes + (members[member].start - start), next - members[member].start)
            }
        }
        text.append(UInt8(ascii: "}"))
        members.removeLast(count)
    }

    /// The members of the innermost object in the alphabetical order of their keys.
    private func alphabetical() -> [Place] {
        let all = members[top.firstMember...].enumerated().map { Place(member: $0.offset, key: $0.element.key) }
        return all.sorted { keys.precedes($0.key, $1.key) || $0.key == $1.key && $0.member < $1.member }
    }

    // MARK: Containers

    mutating func beginObject() { top.kind = .object }

    mutating func beginList() {
        top.kind = .list
        text.append(UInt8(ascii: "["))
    }

    /// Announces that a value of the innermost object follows, and under which key.
    mutating func member(_ name: String) {
        let key: Int
        if top.shape == Self.none {
            key = keys.number(of: name, asItIs: top.isTable)
        } else {
            top.shape = shape(behind: top.shape, name)
            key = top.shape == Self.none ? keys.number(of: name, asItIs: false) : shapes[top.shape].key
        }
        members.append(Member(key: key, start: text.count))
    }

    /// The shape that has one member more.
    private mutating func shape(behind place: Int, _ name: String) -> Int {
        let recent = shapes[place].recent
        if recent != Self.none, shapes[recent].name == name { return recent }
        var child = shapes[place].child
        while child != Self.none, shapes[child].name != name { child = shapes[child].sibling }
        if child == Self.none {
            guard shapes.count < Self.mostShapes else { return Self.none }
            child = shapes.count
            shapes.append(Shape(name: name, key: keys.number(of: name, asItIs: false), sibling: shapes[place].child))
            shapes[place].child = child
        }
        shapes[place].recent = child
        return child
    }

    /// Announces that a value of the innermost list follows.
    mutating func item() {
        if top.items > 0 { text.append(UInt8(ascii: ",")) }
        top.items += 1
    }

    var items: Int { top.items }

    // MARK: Scalars

    mutating func writeNull() { text.append("null") }
    mutating func write(_ flag: Bool) { text.append(flag ? "true" : "false" as StaticString) }
    mutating func write(_ number: UInt64) { text.append(number: number, isNegative: false) }
    mutating func write(_ number: Int64) { text.append(number: number.magnitude, isNegative: number < 0) }
    mutating func write(_ string: String) { text.append(quoted: string) }

    /// - Throws: `EncodingError` for a number that JSON cannot express, such as infinity.
    mutating func write(_ number: Double) throws {
        guard number.isFinite else { throw EncodingError.invalidValue(number, .init(codingPath: [], debugDescription: "JSON has no \(number)")) }
        var shown = number.description
        if shown.hasSuffix(".0") { shown.removeLast(2) }
        text.append(shown)
    }

    /// The same as an object whose keys are words of the user.
    mutating func write(_ table: [String: UInt64]) {
        begin([String: UInt64].self)
        beginObject()
        for (name, number) in table {
            member(name)
            write(number)
        }
        end()
    }

    /// Gives the memory of everything but the text back.
    consuming func finished() -> ReplyBytes {
        values.free()
        return text
    }
}

/// Marks dictionaries whose keys are words of the user, which are written and read as they are.
protocol StringKeyed {}
extension Dictionary: StringKeyed where Key == String {}

/// The keys that occur, each with a number, as they are written: with quotes and the colon.
private struct KeyTexts {
    private var fields: [String: Int] = [:]
    private var words: [String: Int] = [:]
    private var texts: [[UInt8]] = []
    /// The same without quotes and escapes.
    private var names: [String] = []

    /// - Parameter asItIs: whether the key is a word of the user. Names of fields are written in snake case.
    mutating func number(of key: String, asItIs: Bool) -> Int {
        if let number = asItIs ? words[key] : fields[key] { return number }
        names.append(asItIs ? key : Self.snakeCase(key))
        var text = ReplyBytes()
        text.append(quoted: names[names.count - 1])
        text.append(UInt8(ascii: ":"))
        texts.append(Array(UnsafeBufferPointer(start: text.bytes, count: text.count)))
        text.free()
        if asItIs { words[key] = texts.count - 1 } else { fields[key] = texts.count - 1 }
        return texts.count - 1
    }

    func length(_ number: Int) -> Int { texts[number].count }

    func append(_ number: Int, to text: inout ReplyBytes) {
        texts[number].withUnsafeBufferPointer { text.append($0.baseAddress!, $0.count) }
    }

    /// Whether one key stands before another in alphabetical order.
    func precedes(_ one: Int, _ other: Int) -> Bool { names[one] < names[other] }

    /// The key in snake case, as Foundation writes it; names of fields are plain camel case here.
    private static func snakeCase(_ key: String) -> String {
        var result = ""
        for character in key {
            if character.isUppercase, !result.isEmpty { result.append("_") }
            result += character.lowercased()
        }
        return result
    }
}
