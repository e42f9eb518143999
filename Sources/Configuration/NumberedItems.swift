/// Lists with an item for each of eight priorities or traffic classes, changed as dcb(8) has it: `1:30` sets that of number 1 and leaves the others as they
/// are, and `all:0` sets all.
extension Field {
    /// The same field, which also takes such items.
    ///
    /// - Parameter rest: what items are that were not written.
    func byNumber<Item>(_ path: WritableKeyPath<Object, [Item]>, _ kind: ValueKind<Item>, rest: Item) -> Field {
        byNumber(get: { object in (0..<8).map { $0 < object[keyPath: path].count ? object[keyPath: path][$0] : rest } }, kind) { $0[keyPath: path] = $1 }
    }

    /// - Parameters:
    ///   - get: the eight items that there are.
    ///   - set: is given eight items.
    func byNumber<Item>(
        get: @escaping (Object) -> [Item], _ kind: ValueKind<Item>, set: @escaping (inout Object, [Item]) -> Void
    ) -> Field {
        var copy = self
        let whole = read, key = key
        copy.read = { object, element, problems in
            guard case .list(let entries) = element.content, let pairs = Self.pairs(entries) else { return whole(&object, element, &problems) }
            var items = get(object)
            for pair in pairs {
                guard pair.number == "all" || Int(pair.number).map({ 0..<8 ~= $0 }) ?? false else {
                    problems.add(element, "'\(pair.number):\(pair.value)' is not about one of 0 to 7, or all: write \(key) 1:\(pair.value)")
                    return
                }
                guard let item = kind.read(Element(path: element.path, content: .scalar(pair.value)), &problems) else { return }
                for number in Int(pair.number).map({ $0...$0 }) ?? 0...7 { items[number] = item }
            }
            set(&object, items)
        }
        return copy
    }

    /// The entries as numbers and values; nil if one of them is not of that form.
    private static func pairs(_ entries: [Element]) -> [(number: String, value: String)]? {
        var pairs: [(String, String)] = []
        for entry in entries {
            guard case .scalar(let text) = entry.content else { return nil }
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            pairs.append((String(parts[0]), String(parts[1])))
        }
        return pairs.isEmpty ? nil : pairs
    }
}
