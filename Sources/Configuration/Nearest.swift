/// The candidate that an operator most likely meant: the one with the smallest edit distance, which may be at most a third of the word's length (at least 1, at
/// most 3).
package func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
    let limit = min(max(word.count / 3, 1), 3)
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        let distance = editDistance(Array(word.lowercased()), Array(candidate.lowercased()), limit: limit)
        if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
}

/// The number of insertions, deletions, substitutions and swaps of neighbours that turn one word into the other. A distance above `limit` may be returned as
/// `limit + 1`.
private func editDistance(_ a: [Character], _ b: [Character], limit: Int) -> Int {
    if abs(a.count - b.count) > limit { return limit + 1 }
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var cost = min(previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
            row.append(cost)
        }
        (before, previous) = (previous, row)
    }
    return previous[b.count]
}

/// The names that tc's HTB has for some keys.
private let keysOfTC = ["rate": "floor", "ceil": "ceiling", "cburst": "ceiling-burst", "prio": "priority"]

/// A sentence that says that `noun` has no such key, and which one may be meant.
package func noKey(_ key: String, of noun: String, among keys: [String]) -> String {
    let known = keysOfTC[key].flatMap { keys.contains($0) ? $0 : nil }
    let advice = (known ?? nearest(to: key, among: keys)).map { "did you mean '\($0)'?" } ?? "the keys are \(keys.joined(separator: ", "))"
    return "\(noun) has no key '\(key)': \(advice)"
}

/// The end of a sentence about an unknown name: `did you mean vm1?`, or a list of the names that exist, or `none` if there are none.
package func hint(_ word: String, among candidates: [String], none: String) -> String {
    if let name = nearest(to: word, among: candidates) { return "did you mean \(name)?" }
    if candidates.isEmpty { return none }
    let shown = candidates.prefix(12).joined(separator: ", ")
    return "there \(candidates.count == 1 ? "is" : "are") \(shown)\(candidates.count > 12 ? " and \(candidates.count - 12) more" : "")"
}
