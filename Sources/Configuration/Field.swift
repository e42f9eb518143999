/// How one key of an object is read, written, checked and described. All that anybody is told of a key is made from this: sentences, help texts, the schema.
struct Field<Object> {
    var about: FieldDescription
    /// Takes the default, or nothing, which `none` and `default` stand for; nil: there is neither.
    var unset: ((inout Object) -> Void)?
    var read: (inout Object, Element, inout ProblemList) -> Void
    /// nil: the default, which is not written.
    var write: (Object) -> Document?
    /// Tells of what reading would have refused, as models are made in code, too: of the object at a path; nil: there is nothing to tell.
    var check: ((Object, () -> String, inout ProblemList) -> Void)?

    var key: String { about.key }

    /// - Parameter standard: what holds where it is not written.
    init(
        key: String, takes: FieldValue, standard: Document? = nil, help: String = "",
        unset: ((inout Object) -> Void)? = nil, read: @escaping (inout Object, Element, inout ProblemList) -> Void, write: @escaping (Object) -> Document?,
        check: ((Object, () -> String, inout ProblemList) -> Void)? = nil
    ) {
        about = FieldDescription(key: key, value: takes, standard: standard, help: help, mayBeUnset: unset != nil)
        (self.unset, self.read, self.write, self.check) = (unset, read, write, check)
    }
}

/// One key, as people are told of it.
package struct FieldDescription: Sendable {
    package var key: String
    package var value: FieldValue
    /// What holds where it is not written; nil: nothing does, or `help` tells.
    var standard: Document?
    /// A phrase in plain English: what it does, in which unit.
    package var help: String
    /// `none` and `default` are values of it.
    package var mayBeUnset = false
    /// Any text is a value of it, so that only `none` unsets it.
    package var isText = false
    package var isRequired = false
    /// There must be one of those that name the same group.
    var group: String?
    /// It has no words on the command line, or commands of its own.
    var isInFilesOnly = false
    /// Types of ports that have it; nil: all, or no port's.
    package var types: [PortType]?
    /// `show` prints it, where it is not the default, by its key.
    var isShown = false
    /// Where what it says stands for ports of other types.
    var elsewhere = ""
    /// How it is written on a command line, if not as in a file.
    var form: String?

    /// As a help text shows it: `mtu 68-9000`.
    var label: String { form ?? "\(key) \(value.word)" }
}

extension [FieldDescription] {
    /// Keys of which there must be one.
    var alternatives: [[String]] {
        let groups = compactMap(\.group)
        return groups.indices.filter { !groups[..<$0].contains(groups[$0]) }.map { place in filter { $0.group == groups[place] }.map(\.key) }
    }
}

extension Field {
    /// A file must have it.
    var required: Field {
        var copy = self
        copy.about.isRequired = true
        return copy
    }

    /// A file must have it, or another of the group.
    func one(of group: String) -> Field {
        var copy = self
        copy.about.group = group
        return copy
    }

    /// Neither `none` nor `default` is a value of it.
    var lasting: Field {
        var copy = self
        copy.unset = nil
        copy.about.mayBeUnset = false
        return copy
    }

    /// `show` prints it by its key.
    var shown: Field {
        var copy = self
        copy.about.isShown = true
        return copy
    }

    var inFilesOnly: Field {
        var copy = self
        copy.about.isInFilesOnly = true
        return copy
    }

    /// Only ports of these types have it.
    func of(_ types: PortType..., elsewhere: String = "") -> Field {
        var copy = self
        (copy.about.types, copy.about.elsewhere) = (types, elsewhere)
        return copy
    }

    /// Written so on a command line.
    func form(_ form: String) -> Field {
        var copy = self
        copy.about.form = form
        return copy
    }
}

extension Validator {
    /// What no way of reading would have let in.
    mutating func check<Object>(_ object: Object, _ fields: [Field<Object>], _ path: String) {
        for field in fields { field.check?(object, { path }, &problems) }
    }
}
