package fleet

// DocumentNotification is a rule that says who is notified of what.
const DocumentNotification DocumentKind = "notification"
