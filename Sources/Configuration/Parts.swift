/// A named fragment of the configuration that the operator does not own: ports and guests that are added and removed together. A hook, for example, makes one
/// for each virtual machine.
public struct Part: Equatable, Sendable {
    public let name: String
    /// The text as its owner wrote it.
    public let yaml: String
    /// Its ports and guests, and nothing else.
    public let model: Model

    /// The length in bytes of the longest name. With an ending, the name must still be a valid file name.
    public static let longestName = 128

    /// Reads a part.
    /// - Throws: everything that is wrong with the part by itself. Whether objects that it names, such as bridges, exist in the rest of the configuration is
    ///   not checked here.
    public init(_ name: String, yaml: String) throws(ConfigurationError) {
        guard Self.isName(name) else {
            throw ConfigurationError(
                "", "'\(name.prefix(40))' cannot name a part: write 1 to \(Self.longestName) letters, digits and -_.%@+, the first of them a letter or digit")
        }
        let model = try Model(yaml: yaml)
        var others = model
        (others.ports, others.guests) = ([], [])
        guard others == Model() else {
            let sections = others.document.keys.joined(separator: ", ")
            throw ConfigurationError("", "a part has ports and guests, and this one has \(sections): that belongs into the operator's own configuration")
        }
        guard !model.ports.isEmpty || !model.guests.isEmpty else {
            throw ConfigurationError("", "the part \(name) has neither ports nor guests: write some, or delete it with `sluice part del \(name)`")
        }
        (self.name, self.yaml, self.model) = (name, yaml, model)
    }

    public static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, isPlain(first) else { return false }
        return text.utf8.count <= longestName && text.utf8.allSatisfy { isPlain($0) || "-_.%@+".utf8.contains($0) }
    }

    /// Makes the name of a part from a prefix and any text. Bytes that a part's name may not have are percent-encoded. A name that is too long is cut and ends
    /// with a hash of the whole text.
    public static func name(_ prefix: String, of text: String) -> String {
        var name = prefix
        for byte in text.utf8 {
            if isPlain(byte) || "-_.@+".utf8.contains(byte) {
                name.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                name += "%\(digits.utf8.count < 2 ? "0" : "")\(digits)"
            }
        }
        if name.utf8.count <= longestName { return name }
        // This is the 64-bit FNV-1a hash.
        let number = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(decoding: name.utf8.prefix(longestName - 17), as: UTF8.self) + "-" + String(number, radix: 16)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }
}

/// All parts, and which of them owns a port or a guest. Everything that no part owns belongs to the operator.
public struct Parts: Equatable, Sendable {
    private var byName: [String: Part] = [:]
    private var ports: [String: String] = [:]
    private var guests: [String: String] = [:]

    public init() {}

    /// - Parameter texts: the texts of parts, by name. A text that cannot be read as a part is ignored, so that its objects belong to the operator.
    public init(_ texts: [String: String]) {
        for (name, yaml) in texts { if let part = try? Part(name, yaml: yaml) { set(name, part) } }
    }

    public var isEmpty: Bool { byName.isEmpty }
    /// All parts, sorted by name.
    public var all: [Part] { byName.values.sorted { $0.name < $1.name } }
    public subscript(name: String) -> Part? { byName[name] }

    /// The name of the part that owns a port; nil if the operator does.
    public func owner(ofPort name: String) -> String? { ports[name] }
    /// The name of the part that owns a guest; nil if the operator does.
    public func owner(ofGuest name: String) -> String? { guests[name] }

    /// Replaces the part of this name, or adds it.
    /// - Parameter part: the new part; nil removes the one of this name.
    mutating func set(_ name: String, _ part: Part?) {
        if let old = byName[name] {
            for port in old.model.ports { ports[port.name] = nil }
            for guest in old.model.guests { guests[guest.name] = nil }
        }
        byName[name] = part
        for port in part?.model.ports ?? [] { ports[port.name] = name }
        for guest in part?.model.guests ?? [] { guests[guest.name] = name }
    }

    /// A problem for each port and guest of the operator's new configuration that has the name of one that a part owns.
    func conflicts(with model: Model) -> [Problem] {
        func problem(_ path: String, _ noun: String, _ name: String, _ owner: String?) -> Problem? {
            owner.map {
                Problem(
                    path, "the \(noun) \(name) belongs to the part \($0): leave it out here, or delete that with `sluice part del \($0)`")
            }
        }
        return model.ports.enumerated().compactMap { problem("ports[\($0)].name", "port", $1.name, ports[$1.name]) }
            + model.guests.enumerated().compactMap { problem("guests[\($0)].name", "guest", $1.name, guests[$1.name]) }
    }

    /// A problem for each port and guest of a part that has the name of one in `model` that another part or the operator owns.
    func conflicts(of part: Part, in model: Model) -> [Problem] {
        func problem(_ noun: String, _ name: String, _ owner: String?) -> Problem {
            let whose = owner.map { "the part \($0)" } ?? "the operator's own configuration"
            return Problem("\(noun) \(name)", "it belongs to \(whose) already, so that the part \(part.name) cannot have one: write another name")
        }
        let (ownPorts, ownGuests) = (Set(part.model.ports.map(\.name)), Set(part.model.guests.map(\.name)))
        return model.ports.filter { ownPorts.contains($0.name) && ports[$0.name] != part.name }.map { problem("port", $0.name, ports[$0.name]) }
            + model.guests.filter { ownGuests.contains($0.name) && guests[$0.name] != part.name }.map { problem("guest", $0.name, guests[$0.name]) }
    }
}

extension Document {
    fileprivate var keys: [String] { if case .map(let entries) = self { entries.map(\.key) } else { [] } }
}

extension Parts {
    /// The operator's own part of a model: the model without the ports and guests that parts own.
    public func base(of model: Model) -> Model {
        if isEmpty { return model }
        var base = model
        base.ports.removeAll { owner(ofPort: $0.name) != nil }
        base.guests.removeAll { owner(ofGuest: $0.name) != nil }
        return base
    }

    /// The ports and guests of a model that a part owns. Commands may have changed them since the owner of the part wrote them.
    public func model(of part: String, in model: Model) -> Model {
        var result = Model()
        result.ports = model.ports.filter { owner(ofPort: $0.name) == part }
        result.guests = model.guests.filter { owner(ofGuest: $0.name) == part }
        return result
    }
}
