"""Short texts of several languages."""

LANGUAGES = {
    "Hindi": "\u092b\u093c\u093f\u0932\u094d\u092e \u0905\u091a\u094d\u091b\u0940 \u0939\u0948",
    "Arabic": "\u0627\u0644\u0639\u064e\u0631\u064e\u0628\u0650\u064a\u0651\u064e\u0629"
    " \u062c\u0645\u064a\u0644\u0629",
    "Korean": "\ud55c\uad6d\uc5b4 \ubb38\uc7a5\uc785\ub2c8\ub2e4",
    "Japanese": "\u6620\u753b\u306f\u672c\u5f53\u306b\u9762\u767d\u3044\u3002",
    "Thai": "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e07\u0e48\u0e32\u0e22",
    "emoji": "ok \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea!",
    "accents": "e\u0301te\u0301 don't a_b 3.5 U.S.A.",
}
