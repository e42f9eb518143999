import Configuration

/// Commands, one on each line, that change one of several configurations one after the other. A digit in the first line chooses the configuration.
///
/// A refused command changes nothing; the shorter way of an edit gives what the general one gives; what results is valid as a whole and can be written.
func fuzzEdits(_ bytes: [UInt8]) {
    var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")[...]
    var start = 0
    if let first = lines.first, first.utf8.count == 1, let number = Int(first) {
        start = number % starts.count
        lines = lines.dropFirst()
    }
    var running = starts[start]
    for line in lines.prefix(12) {
        let words = words(line)
        guard words.count >= 2 else { continue }
        edit(&running, words[0], words[1], Array(words[2...]))
    }
    checkWritten(running.model)
}

private let starts: [Running] = Examples.all.map { yaml in
    var running = Running()
    running.adopt(accepted("the example is valid") { () throws(ConfigurationError) in try running.changed(to: Model.checked(yaml: yaml)) })
    return running
}

/// The words of a line. Double quotes hold blanks.
private func words(_ line: Substring) -> [String] {
    var result: [String] = [], word: String?
    var isQuoted = false
    for character in line {
        if character == "\"" {
            isQuoted.toggle()
            word = word ?? ""
        } else if character == " ", !isQuoted {
            if let word { result.append(word) }
            word = nil
        } else {
            word = (word ?? "") + String(character)
        }
    }
    return result + (word.map { [$0] } ?? [])
}

private func edit(_ running: inout Running, _ object: String, _ verb: String, _ words: [String]) {
    let before = running
    func told() -> String { "\(object) \(verb) \(words) in\n\(before.model.yaml)" }
    var general = running, quick = running
    let expected = Result { () throws(ConfigurationError) in try general.edited(object, verb, words, short: false) }
    let result = Result { () throws(ConfigurationError) in try quick.edited(object, verb, words) }
    let alone = Result { () throws(ConfigurationError) in try before.model.edited(object, verb, words) }
    claim(quick.model == before.model && quick.trees == before.trees && quick.ids == before.ids, "an edit that is not adopted changes nothing: \(told())")
    switch (expected, result) {
    case (.failure(let error), .failure(let other)):
        check(error)
        claim(error == other, "both ways refuse for the same reasons: \(told())\n\(error)\n\(other)")
        claim(refusal { () throws(ConfigurationError) in try alone.get() } == error, "the model alone refuses for the same reasons: \(told())\n\(error)\n\(alone)")
    case (.success(.whole(let change)), .success(let edit)):
        general.adopt(change)
        switch edit {
        case .local(let item):
            claim(item.lines == change.plan.lines(from: before.model, to: change.model), "both ways say the same: \(told())\n\(item.lines)")
            quick.adopt(item)
        case .whole(let item): quick.adopt(item)
        }
        claim(quick.model == general.model && quick.trees == general.trees && quick.ids == general.ids, "both ways have one result: \(told())")
        claim((try? alone.get()) == quick.model, "the model alone has this result as well: \(told())\n\(alone)")
        let problems = quick.model.problems
        claim(problems.isEmpty, "what is accepted is valid as a whole: \(told())\n\(problems)")
        var ids = quick.ids
        claim(trees(of: quick.model, ids: &ids) == quick.trees, "the trees are those of the model: \(told())")
        running = quick
    default: claim(false, "both ways accept the same: \(told())\n\(expected)\n\(result)")
    }
}
