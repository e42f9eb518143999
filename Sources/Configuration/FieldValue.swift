/// What a key takes, as help texts and the schema tell it.
package indirect enum FieldValue: Sendable {
    case flag
    case integer(ClosedRange<Int>)
    /// nil: whatever its unit can say.
    case quantity(Quantity, ClosedRange<UInt64>?)
    case choice([String])
    case text(TextForm)
    case list(FieldValue)
    /// A map of these keys. `name`: what it is called where it stands in several places.
    case map([FieldDescription], name: String? = nil)
    /// A map whose keys are names that somebody gave.
    case named(FieldValue)
    /// A map of one of these keys.
    case oneOf([String], FieldValue)
    case either([FieldValue])

    /// What it takes on a command line.
    enum Shape {
        case scalar
        /// Values with commas between them.
        case list
        case map(keys: [String])
        /// One value, or a map of these keys.
        case scalarOrMap(keys: [String])
    }

    var shape: Shape {
        switch self {
        case .flag, .integer, .quantity, .choice, .text, .named, .oneOf: .scalar
        case .list: .list
        case .map(let fields, _): .map(keys: fields.map(\.key))
        case .either(let all):
            if keys.isEmpty { .scalar } else if all.allSatisfy({ !$0.keys.isEmpty }) { .map(keys: keys) } else { .scalarOrMap(keys: keys) }
        }
    }

    /// Of all maps that it may be.
    private var keys: [String] {
        switch self {
        case .map(let fields, _): fields.map(\.key)
        case .either(let all): all.flatMap(\.keys)
        default: []
        }
    }

    /// As it stands behind its key in a help text: `68-9000`, `client|server`.
    var word: String {
        switch self {
        case .flag: "on|off"
        case .integer(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .quantity(let quantity, _): quantity.word
        case .choice(let words): words.joined(separator: "|")
        case .text(let form): form.word
        case .list(let item): "\(item.word),..."
        case .map(let fields, let name?) where fields.count > 5: "\(name.uppercased())-KEY VALUE ..."
        case .map(let fields, _): fields.map { $0.isRequired ? $0.label : "[\($0.label)]" }.joined(separator: " ")
        case .named(let value): "NAME: \(value.word)"
        case .oneOf(let keys, let value): keys.map { "\($0) \(value.word)" }.joined(separator: "|")
        case .either(let all): all.map(\.word).joined(separator: " | ")
        }
    }

    /// What is within its range, where the words do not tell; nil: they do.
    var bounds: String? {
        switch self {
        case .quantity(let quantity, let range?): "\(quantity.format(range.lowerBound)) to \(quantity.format(range.upperBound))"
        case .either(let all):
            if all.contains(where: { $0.bounds == nil }) { nil } else { all.compactMap(\.bounds).joined(separator: ", or ") }
        default: nil
        }
    }
}

/// A kind of text.
package struct TextForm: Sendable {
    /// What stands for it in help texts.
    var word: String
    /// Of texts that are of this kind (ECMA 262); nil: any.
    package var pattern: String?
    var example: String
    /// What YAML takes for a number is one, too.
    var mayBeNumber = true

    /// 1 to 31 of these, see `Validator.checkName`.
    package static let name = TextForm(word: "NAME", pattern: "^[A-Za-z0-9._-]{1,31}$", example: "vm1")
    static let path = TextForm(word: "PATH", example: "/run/sluice/vm1.sock")
    static let interface = TextForm(word: "INTERFACE", example: "tap0")
    static let namespace = TextForm(word: "NAMESPACE", example: "lab")
    static let device = TextForm(word: "DEVICE", example: "eth1")
    package static let mac = TextForm(word: "MAC", pattern: "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", example: "52:54:00:12:34:56", mayBeNumber: false)
    private static let ipv4Pattern = "[0-9]{1,3}(\\.[0-9]{1,3}){3}"
    private static let ip = "(\(ipv4Pattern)|[0-9A-Fa-f:.]*::[0-9A-Fa-f:.]*|([0-9A-Fa-f]{1,4}:){6,7}[0-9A-Fa-f.]+)"
    static let prefix = TextForm(word: "ADDRESS[/N]", pattern: "^\(ip)(/[0-9]+)?$", example: "10.0.0.0/24", mayBeNumber: false)
    static let address = TextForm(word: "ADDRESS", pattern: "^\(ip)$", example: "192.0.2.9", mayBeNumber: false)
    static let ipv4 = TextForm(word: "ADDRESS", pattern: "^\(ipv4Pattern)$", example: "192.0.2.9", mayBeNumber: false)
    static let `class` = TextForm(word: "CLASS", example: "vm1/iscsi")
    static let expression = TextForm(word: "EXPRESSION", example: "tcp dst port 25")
    static let vlans = TextForm(word: "ID[-ID]", pattern: "^ *[0-9]+(-[0-9]+)?(, *[0-9]+(-[0-9]+)?)*$", example: "20-29", mayBeNumber: false)
    static let match = TextForm(
        word: "MATCH", pattern: "^ *(\(["tcp", "udp", "ethertype", "dscp", "pcp"].map(\.anyCase).joined(separator: "|"))) +[0-9][0-9A-FXa-fx-]* *$",
        example: "tcp 873", mayBeNumber: false)
    static let any = TextForm(word: "TEXT", example: "text")
}

extension Quantity {
    /// What stands for one in help texts.
    var word: String {
        switch self {
        case .rate: "RATE"
        case .packets: "PPS"
        case .size: "SIZE"
        case .time, .delay: "TIME"
        }
    }
}

extension String {
    /// A pattern (ECMA 262) of this word in small and capital letters.
    var anyCase: String { map { "[\($0.lowercased())\($0.uppercased())]" }.joined() }
}
